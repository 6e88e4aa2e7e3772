"""Find the lines of numbers on plain, ruled, framed and sloping paper."""

import numpy as np
import pytest
from PIL import Image

from fastdigits.data import load_part
from fastdigits.errors import UserError
from fastdigits.imaging import lines as module
from fastdigits.imaging.lines import MAX_SLOPE, Line, find_lines
from fastdigits.imaging.rules import MAX_COVERAGE, _may_have_rules, find_rules

CELL, PITCH, LEADING = 28, 24, 56  # pixels: side of a digit's image, and distances of digits and of lines
LEFT, TOP = 60, 50
SIZE = 320, 480


@pytest.fixture(scope="module")
def glyphs():
    images, labels = load_part("mnist", "test")
    return {str(digit): images[np.flatnonzero(labels == digit)[3]] / 255 for digit in range(10)}


def written(glyphs, texts, at=None, size=SIZE, pitch=PITCH):
    """Return the coverage by ink (H, W) of texts, and the box (left, top, right, bottom) of the ink of each."""
    cover, boxes = np.zeros(size), []
    for number, text in enumerate(texts):
        x, y = at[number] if at else (LEFT, TOP + LEADING * number)
        line = np.zeros(size)
        for place, digit in enumerate(text):
            start = x + pitch * place
            area = line[y : y + CELL, start : start + CELL]
            np.maximum(area, glyphs[digit], out=area)
        cover = np.maximum(cover, line)
        rows, columns = np.nonzero(line > 0.5)
        boxes.append((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
    return cover, boxes


def photographed(cover, rules=None, ink=50, paper=215, shade=0.25):
    """Return a grey picture of ink and rules on paper that lies in uneven light."""
    H, W = cover.shape
    light = 1 - shade * np.linspace(0, 1, W) * np.linspace(0, 1, H)[:, None]
    brightness = paper * (1 - 0.5 * (np.zeros_like(cover) if rules is None else rules))
    noise = np.random.default_rng(0).normal(0, 3, cover.shape)
    return np.uint8(np.clip((brightness * (1 - cover) + ink * cover) * light + noise, 0, 255))


def frame(rules, left, top, right, bottom):
    rules[top : top + 2, left:right] = rules[bottom - 2 : bottom, left:right] = 1
    rules[top:bottom, left : left + 2] = rules[top:bottom, right - 2 : right] = 1


def turned(values, slope):
    """Rotate values (H, W) so that rows become lines of a slope."""
    image = Image.fromarray(values.astype(np.float32))
    return np.asarray(image.rotate(-np.degrees(np.arctan(slope)), Image.Resampling.BILINEAR, expand=True))


def bounds(line):
    return *line.corners.min(0), *line.corners.max(0)


def assert_found(lines, boxes):
    """Each line reaches around its ink, by at most half of its height, and one more at the sides."""
    assert len(lines) == len(boxes)
    for line, (left, top, right, bottom) in zip(lines, boxes, strict=True):
        x0, y0, x1, y1 = bounds(line)
        half = (bottom - top) / 2
        assert left - 2 * half <= x0 <= left + 1
        assert right - 1 <= x1 <= right + 2 * half
        assert top - half <= y0 <= top + 1
        assert bottom - 1 <= y1 <= bottom + half


def test_lines_are_found_from_top_to_bottom(glyphs):
    cover, boxes = written(glyphs, ["2041", "87", "356904", "1"])
    assert_found(find_lines(photographed(cover)), boxes)


def test_light_writing_on_a_dark_board_is_found(glyphs):
    cover, boxes = written(glyphs, ["2041", "879"])
    assert_found(find_lines(photographed(cover, ink=230, paper=40)), boxes)


def test_columns_are_lines_of_their_own(glyphs):
    at = [(40, 60), (300, 64), (40, 140), (300, 138)]
    cover, boxes = written(glyphs, ["2041", "879", "35", "6904"], at)
    assert_found(find_lines(photographed(cover)), boxes)


def test_digits_that_stand_apart_are_one_line(glyphs):
    cover, boxes = written(glyphs, ["20417", "356"], pitch=60)
    assert_found(find_lines(photographed(cover)), boxes)


def test_ruled_paper_has_no_lines_but_those_written(glyphs):
    cover, boxes = written(glyphs, ["2041", "87", "356904"])
    rules = np.zeros(SIZE)
    rules[TOP + 24 :: LEADING] = rules[TOP + 25 :: LEADING] = rules[:, 45:47] = 1
    assert_found(find_lines(photographed(cover, rules)), boxes)


def test_frames_and_cells_are_painted_over(glyphs):
    cover, boxes = written(glyphs, ["2041", "875"], pitch=34)
    rules = np.zeros(SIZE)
    frame(rules, LEFT - 12, TOP - 6, LEFT + 150, TOP + 34)
    for place in range(4):
        x, y = LEFT - 4 + 34 * place, TOP + LEADING - 6
        frame(rules, x, y, x + 36, y + 40)
    lines = find_lines(photographed(cover, rules))
    assert_found(lines, boxes)
    plain = find_lines(photographed(cover))
    for line, other in zip(lines, plain, strict=True):
        assert np.mean(line.picture < 150) == pytest.approx(np.mean(other.picture < 150), rel=0.15)


def test_digits_in_separate_boxes_are_a_line(glyphs):
    cover, boxes = written(glyphs, ["2041"], pitch=50)
    rules = np.zeros(SIZE)
    for place in range(4):
        frame(rules, LEFT - 6 + 50 * place, TOP - 6, LEFT + 34 + 50 * place, TOP + 34)
    assert_found(find_lines(photographed(cover, rules)), boxes)


@pytest.mark.parametrize("slope", [-0.25, -0.1, 0.05, 0.2])
@pytest.mark.parametrize("ruled", [False, True])
def test_sloping_lines_are_straightened(glyphs, slope, ruled):
    assert abs(slope) < MAX_SLOPE
    cover, boxes = written(glyphs, ["20417", "8792", "356904"])
    rules = np.zeros(SIZE)
    if ruled:
        rules[TOP + 24 :: LEADING] = rules[TOP + 25 :: LEADING] = 1
    cover, rules = (turned(values, slope) for values in (cover, rules))
    lines = find_lines(photographed(cover, rules))
    assert len(lines) == 3
    cosine, sine = np.cos(np.arctan(slope)), np.sin(np.arctan(slope))
    for line, (left, top, right, bottom) in zip(lines, boxes, strict=True):
        center = np.array([(left + right) / 2 - SIZE[1] / 2, (top + bottom) / 2 - SIZE[0] / 2])
        expected = np.array([[cosine, -sine], [sine, cosine]]) @ center + np.array(cover.shape[::-1]) / 2
        assert np.abs(line.corners.mean(0) - expected).max() < 8
        along = line.corners[1] - line.corners[0]
        assert along[1] / along[0] == pytest.approx(slope, abs=0.04)
        assert line.picture.shape[0] < 2 * (bottom - top)


def test_a_picture_that_one_line_fills_is_that_line(glyphs):
    cover, _ = written(glyphs, ["20417"], [(8, 6)], size=(40, 150))
    rules = np.zeros(cover.shape)
    rules[33:35] = 1
    picture = photographed(cover, rules)
    (line,) = find_lines(picture)
    assert np.array_equal(line.picture[..., 0], picture)
    assert bounds(line) == (0, 0, 150, 40)


def test_a_pattern_that_hides_the_ink_is_left_to_the_reader():
    noise = np.random.default_rng(0).integers(0, 255, (50, 160), np.uint8)
    for line in find_lines(noise):
        assert line.picture.shape[0] <= 50


def test_dashes_and_dots_next_to_a_number_belong_to_it(glyphs):
    cover, ((left, top, right, bottom), *_) = written(glyphs, ["2041", "87"])
    cover[(top + bottom) // 2 :][:3, right + 12 : right + 30] = 1
    cover[bottom - 3 : bottom, right + 36 : right + 39] = 1
    first, _ = find_lines(photographed(cover))
    assert bounds(first)[2] >= right + 39


def test_numbers_on_a_sheet_of_paper_are_found(glyphs):
    cover, boxes = written(glyphs, ["2041", "879", "356904"])
    table = np.full((480, 640), 60, np.uint8)
    table[80:400, 90:570] = photographed(cover, shade=0.05)
    shift = np.array([90, 80, 90, 80])
    assert_found(find_lines(table), [tuple(box + shift) for box in np.array(boxes)])


def test_corners_are_in_pixels_of_large_pictures(glyphs):
    cover, boxes = written(glyphs, ["2041", "879"])
    large = np.kron(photographed(cover), np.ones((6, 6), np.uint8))
    assert_found(find_lines(large), [tuple(6 * np.array(box)) for box in boxes])


@pytest.mark.parametrize("shape", [(1, 1), (300, 2, 3), (40, 40)])
def test_a_blank_picture_has_no_lines(shape):
    assert find_lines(np.full(shape, 200, np.uint8)) == []


def test_too_many_lines_are_refused(glyphs, monkeypatch):
    monkeypatch.setattr(module, "MAX_LINES", 2)
    cover, _ = written(glyphs, ["2041", "87", "356904"])
    with pytest.raises(UserError, match="shows 3 lines, more than the limit of 2; cut it into smaller"):
        find_lines(photographed(cover))


def test_only_the_components_with_the_most_ink_are_considered(glyphs, monkeypatch):
    monkeypatch.setattr(module, "MAX_COMPONENTS", 4)
    cover, boxes = written(glyphs, ["2041"])
    cover[200::12, 20::12] = 1
    assert_found(find_lines(photographed(cover)), boxes)


def test_boxes_within_a_sloping_line_lie_within_its_corners():
    line = Line(np.zeros((10, 20, 1), np.uint8), np.array([[0, 0], [20, 10], [15, 20], [-5, 10]], float))
    assert line.box_in_whole(0, 0, 1, 1) == (-5, 0, 25, 20)
    assert line.box_in_whole(0.5, 0.5, 1, 0.5) == (8, 10, 10, 5)


def test_digits_are_no_rules(glyphs):
    cover, _ = written(glyphs, ["5717", "0077", "4411"])
    page = module._page_of(photographed(cover)[..., None], np.eye(2, 3))
    rules = find_rules(page.ink, page.components, module._min_rule_length(page.components))
    assert not rules.mask.any()
    assert not rules.has_frame


def test_flat_strokes_in_a_small_picture_are_no_rules():
    images, _ = load_part("mnist", "train")
    fives = np.hstack(images[[15631, 59923]])  # flat and wide
    [line] = find_lines(255 - np.pad(fives, 4))
    assert line.picture.shape[1] > 45


def test_frames_within_frames_are_searched_only_up_to_a_total_area():
    rules = np.zeros((400, 400))
    for edge in range(0, 150, 10):
        frame(rules, 10 + edge, 10 + edge, 390 - edge, 390 - edge)
    page = module._page_of(photographed(np.zeros_like(rules), rules, shade=0)[..., None], np.eye(2, 3))
    searched = [page.components.boxes[number] for number in _may_have_rules(page.components, 100)]
    assert 1 < len(searched) < 15
    assert sum(box.width * box.height for box in searched) <= MAX_COVERAGE * rules.size
