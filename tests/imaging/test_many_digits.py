import numpy as np
import pytest
from pictures import scenes
from pictures.alphabet import DIGITS
from pictures.glyphs import from_strokes

from fastdigits.errors import UserError
from fastdigits.imaging import Box, find_lines, find_regions, find_sheet, many_digits, prepare

PAPER, INK = (0.92, 0.9, 0.86), (0.1, 0.15, 0.5)
CONNECTED_STYLES = {"0": 0, "1": 0, "2": 0, "3": 0, "4": 2, "5": 0, "6": 0, "7": 0, "8": 2, "9": 0}  # in one piece


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def written(rng, lines, height=40, pitch=48, leading=80, size=(240, 420), background=PAPER):
    """Draw lines of digits; return the picture and the center (x, y) of each digit, line by line."""
    picture, centers = scenes.sheet(*size, background), []
    for row, line in enumerate(lines):
        positions = [(50 + pitch * column, 50 + leading * row) for column in range(len(line))]
        for (x, y), digit in zip(positions, line, strict=True):
            glyph = from_strokes(DIGITS[digit][CONNECTED_STYLES[digit]], 0.1)
            cover = scenes.placed(rng, glyph.edge, *size, height, (y, x), rotate_deg=3, slant=0.05, squeeze=0.1)
            picture = scenes.inked(picture, cover, INK)
        centers.append(positions)
    return picture, centers


def pixels(rng, picture):
    return scenes.photographed(rng, picture, 0.5, 0.01, 80)


def distances(lines, centers):
    """Return the distance of each box's center from that of the digit."""
    return [
        np.hypot(box.left + box.width / 2 - x, box.top + box.height / 2 - y)
        for line, positions in zip(lines, centers, strict=True)
        for box, (x, y) in zip((found.box for found in line), positions, strict=True)
    ]


def test_digits_are_in_reading_order(rng):
    picture, centers = written(rng, ["0172", "345689", "7"])
    lines = find_lines(pixels(rng, picture))
    assert [len(line) for line in lines] == [4, 6, 1]
    assert max(distances(lines, centers)) < 8


def test_each_digit_is_prepared_separately(rng):
    picture, _ = written(rng, ["28"])
    two = find_lines(pixels(rng, picture))[0][0]
    alone = prepare(pixels(rng, written(rng, ["2"])[0])).image
    assert np.corrcoef(two.image.reshape(-1), alone.reshape(-1))[0, 1] > 0.8


def test_sloping_lines_are_kept_apart(rng):
    slopes = [[(50 + 50 * n, 60 + 9 * n) for n in range(6)], [(50 + 50 * n, 130 + 9 * n) for n in range(6)]]
    picture = scenes.sheet(240, 420, PAPER)
    for positions in slopes:
        for x, y in positions:
            cover = scenes.placed(rng, from_strokes(DIGITS["3"][0], 0.1).edge, 240, 420, 40, (y, x))
            picture = scenes.inked(picture, cover, INK)
    lines = find_lines(pixels(rng, picture))
    assert [len(line) for line in lines] == [6, 6]
    assert max(distances(lines, slopes)) < 8


def test_a_column_is_ordered_from_the_top(rng):
    picture, centers = written(rng, ["3", "1", "4"], leading=60)
    lines = find_lines(pixels(rng, picture))
    assert [len(line) for line in lines] == [1, 1, 1]
    assert max(distances(lines, centers)) < 8


def test_shadows_lines_dots_and_dashes_are_no_digits(rng):
    background = scenes.ruled(rng, scenes.sheet(240, 420, PAPER), (0.5, 0.6, 0.8), 0.6, 60, False)
    picture, centers = written(rng, ["0172", "3456"])
    picture = np.minimum(picture, background)
    picture[50:54, 232:244] = picture[140:144, 232:236] = INK
    picture[:, 300:] *= 0.6
    lines = find_lines(pixels(rng, picture))
    assert [len(line) for line in lines] == [4, 4]
    assert max(distances(lines, centers)) < 8


def test_fragments_of_a_digit_are_joined(rng):
    """The bar of the five is detached; it stands between two other digits."""
    picture, centers = written(rng, ["253"])
    x, y = centers[0][1]
    picture[y - 14 : y - 9, x - 12 : x + 16] = PAPER
    lines = find_lines(pixels(rng, picture))
    assert [len(line) for line in lines] == [3]


def test_digits_that_touch_are_separated(rng):
    picture, centers = written(rng, ["222"], pitch=34)
    picture[66:70, 50:118] = INK
    (region,) = find_regions(pixels(rng, picture))[0]
    assert region.whole.box.width > 75
    assert [
        abs(part.box.left + part.box.width / 2 - x) < 9 for part, (x, _) in zip(region.parts, centers[0], strict=True)
    ]


def test_digits_on_a_sheet_of_paper_are_found(rng):
    page, centers = written(rng, ["0172", "3456"])
    picture = scenes.sheet(400, 600, (0.3, 0.2, 0.15))
    picture[80:320, 90:510] = page
    lines = find_lines(pixels(rng, picture))
    assert [len(line) for line in lines] == [4, 4]
    assert max(distances(lines, [[(x + 90, y + 80) for x, y in positions] for positions in centers])) < 8


@pytest.mark.parametrize("shape", [(1, 1), (300, 2, 3), (40, 40)])
def test_a_blank_picture_has_no_digits(shape):
    assert find_lines(np.full(shape, 200, np.uint8)) == []


def test_noise_is_prepared(rng):
    for share in (0.01, 0.3, 0.9):
        for line in find_regions(np.where(rng.random((90, 140)) < share, 255, 0).astype(np.uint8)):
            assert all(region.whole.image.shape == (28, 28) for region in line)


def random_boxes(rng, count, side):
    sizes = np.maximum(1, rng.gamma(2, 6, (count, 2))).astype(int).tolist()
    return [Box(*rng.integers(0, side, 2).tolist(), *size) for size in sizes]


def test_fragments_are_joined_to_the_nearest_of_all_boxes(rng, monkeypatch):
    """Only nearby boxes are considered; the others cannot fit."""
    searched = many_digits._group_fragments
    for _ in range(20):
        boxes = random_boxes(rng, 150, 300)
        groups = searched(boxes)
        with monkeypatch.context() as everywhere:
            everywhere.setattr(many_digits.np, "searchsorted", search_everywhere(np.searchsorted, len(boxes)))
            assert searched(boxes) == groups
        assert any(len(group) > 1 for group in groups)


def search_everywhere(searchsorted, count):
    """np.searchsorted, except that a range of rows is all rows."""
    return lambda values, wanted: (0, count) if isinstance(wanted, tuple) else searchsorted(values, wanted)


def test_joining_fragments_looks_at_few_boxes(rng, monkeypatch):
    looked_at, search = [], many_digits._nearest_above_or_below
    monkeypatch.setattr(
        many_digits,
        "_nearest_above_or_below",
        lambda edges, *rest: looked_at.append(edges.shape[1]) or search(edges, *rest),
    )
    many_digits._group_fragments(random_boxes(rng, 4000, 3000))
    assert len(looked_at) > 1000
    assert np.mean(looked_at) < 20


def test_only_the_components_with_the_most_ink_are_considered(monkeypatch):
    y, x = np.mgrid[:300, :300]
    picture = np.where((y % 20 < 5) & (x % 20 < 5), 0, 255).astype(np.uint8)
    picture[100:160, 100:130] = 0
    assert len(many_digits._labelled_ink(picture[..., None])[2]) > 100
    monkeypatch.setattr(many_digits, "MAX_COMPONENTS", 5)
    boxes = many_digits._labelled_ink(picture[..., None])[2]
    assert len(boxes) == 5
    assert max(box.height for box in boxes) >= 55


def tiled(side):
    """Small bars with narrow gaps, as many as fit."""
    y, x = np.mgrid[:side, :side]
    return np.where((x % 8 < 3) & (y % 20 < 14), 0, 255).astype(np.uint8)


def test_a_picture_with_too_many_shapes_is_refused_before_they_are_prepared(monkeypatch):
    monkeypatch.setattr(many_digits, "to_mnist_format", lambda *_: pytest.fail("a shape was prepared"))
    assert 1000 < len(find_sheet(tiled(600))) < many_digits.MAX_SHAPES
    with pytest.raises(UserError, match=r"shows 1\d,\d{3} shapes, more than the limit of 10,000; cut it"):
        find_regions(tiled(1600))


def test_parts_count_as_shapes(rng, monkeypatch):
    picture, _ = written(rng, ["222"], pitch=34)
    picture[66:70, 50:118] = INK
    monkeypatch.setattr(many_digits, "MAX_SHAPES", 3)
    with pytest.raises(UserError, match="shows 4 shapes, more than the limit of 3"):
        find_regions(pixels(rng, picture))


def test_large_shapes_within_each_other_are_refused():
    """The box of each diagonal covers much of the picture."""
    y, x = np.mgrid[:1600, :1600]
    picture = np.where(((x + y) % 12 < 4) & (np.abs(x - y) < 1500), 0, 255).astype(np.uint8)
    with pytest.raises(UserError, match="shapes within shapes"):
        find_regions(picture)
