import numpy as np
import pytest
from pictures import scenes
from pictures.alphabet import DIGITS
from pictures.glyphs import from_strokes

from fastdigits.imaging import find_cells, find_lines, prepare

PAPER, INK = (0.92, 0.9, 0.86), (0.1, 0.15, 0.5)
STYLES = {"0": 0, "1": 0, "2": 0, "3": 0, "4": 2, "5": 0, "6": 0, "7": 0, "8": 2, "9": 0}  # those in one piece


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def written(rng, lines, height=40, pitch=48, leading=80, size=(240, 420), ground=PAPER):
    """A picture of lines of digits, and the middle (x, y) of each digit, line by line."""
    picture, middles = scenes.sheet(*size, ground), []
    for row, line in enumerate(lines):
        places = [(50 + pitch * column, 50 + leading * row) for column in range(len(line))]
        for (x, y), digit in zip(places, line, strict=True):
            glyph = from_strokes(DIGITS[digit][STYLES[digit]], 0.1)
            cover = scenes.placed(rng, glyph.edge, *size, height, (y, x), turn_deg=3, slant=0.05, squeeze=0.1)
            picture = scenes.inked(picture, cover, INK)
        middles.append(places)
    return picture, middles


def pixels(rng, picture):
    return scenes.photographed(rng, picture, 0.5, 0.01, 80)


def distances(lines, middles):
    """How far the boxes' middles lie from where the digits were written."""
    return [
        np.hypot(box.left + box.width / 2 - x, box.top + box.height / 2 - y)
        for line, places in zip(lines, middles, strict=True)
        for box, (x, y) in zip((found.box for found in line), places, strict=True)
    ]


def test_digits_come_in_reading_order(rng):
    picture, middles = written(rng, ["0172", "345689", "7"])
    lines = find_lines(pixels(rng, picture))
    assert [len(line) for line in lines] == [4, 6, 1]
    assert max(distances(lines, middles)) < 8


def test_each_digit_is_prepared_by_itself(rng):
    picture, _ = written(rng, ["28"])
    two = find_lines(pixels(rng, picture))[0][0]
    alone = prepare(pixels(rng, written(rng, ["2"])[0])).image
    assert np.corrcoef(two.image.reshape(-1), alone.reshape(-1))[0, 1] > 0.8


def test_a_slope_keeps_lines_apart(rng):
    slopes = [[(50 + 50 * n, 60 + 9 * n) for n in range(6)], [(50 + 50 * n, 130 + 9 * n) for n in range(6)]]
    picture = scenes.sheet(240, 420, PAPER)
    for places in slopes:
        for x, y in places:
            cover = scenes.placed(rng, from_strokes(DIGITS["3"][0], 0.1).edge, 240, 420, 40, (y, x))
            picture = scenes.inked(picture, cover, INK)
    lines = find_lines(pixels(rng, picture))
    assert [len(line) for line in lines] == [6, 6]
    assert max(distances(lines, slopes)) < 8


def test_a_column_is_read_from_the_top(rng):
    picture, middles = written(rng, ["3", "1", "4"], leading=60)
    lines = find_lines(pixels(rng, picture))
    assert [len(line) for line in lines] == [1, 1, 1]
    assert max(distances(lines, middles)) < 8


def test_shade_lines_dots_and_dashes_are_no_digits(rng):
    ground = scenes.ruled(rng, scenes.sheet(240, 420, PAPER), (0.5, 0.6, 0.8), 0.6, 60, False)
    picture, middles = written(rng, ["0172", "3456"])
    picture = np.minimum(picture, ground)
    picture[50:54, 232:244] = picture[140:144, 232:236] = INK
    picture[:, 300:] *= 0.6
    lines = find_lines(pixels(rng, picture))
    assert [len(line) for line in lines] == [4, 4]
    assert max(distances(lines, middles)) < 8


def test_pieces_of_a_digit_stay_together(rng):
    """A five whose bar stands off, between two other digits."""
    picture, middles = written(rng, ["253"])
    x, y = middles[0][1]
    picture[y - 14 : y - 9, x - 12 : x + 16] = PAPER
    lines = find_lines(pixels(rng, picture))
    assert [len(line) for line in lines] == [3]


def test_digits_that_touch_can_be_taken_apart(rng):
    picture, middles = written(rng, ["222"], pitch=34)
    picture[66:70, 50:118] = INK
    (cell,) = find_cells(pixels(rng, picture))[0]
    assert cell.whole.box.width > 75
    assert [
        abs(part.box.left + part.box.width / 2 - x) < 9 for part, (x, _) in zip(cell.parts, middles[0], strict=True)
    ]


def test_a_sheet_on_a_table_is_looked_at(rng):
    page, middles = written(rng, ["0172", "3456"])
    picture = scenes.sheet(400, 600, (0.3, 0.2, 0.15))
    picture[80:320, 90:510] = page
    lines = find_lines(pixels(rng, picture))
    assert [len(line) for line in lines] == [4, 4]
    assert max(distances(lines, [[(x + 90, y + 80) for x, y in places] for places in middles])) < 8


@pytest.mark.parametrize("shape", [(1, 1), (300, 2, 3), (40, 40)])
def test_nothing_is_found_where_nothing_is(shape):
    assert find_lines(np.full(shape, 200, np.uint8)) == []


def test_noise_does_no_harm(rng):
    for share in (0.01, 0.3, 0.9):
        for line in find_cells(np.where(rng.random((90, 140)) < share, 255, 0).astype(np.uint8)):
            assert all(cell.whole.image.shape == (28, 28) for cell in line)
