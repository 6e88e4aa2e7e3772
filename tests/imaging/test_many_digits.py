import numpy as np
import pytest
from pictures import scenes
from pictures.alphabet import DIGITS
from pictures.glyphs import from_strokes

from fastdigits.imaging import find_lines, find_regions, prepare

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
