"""Read the numbers of pages: their text, their digits and where these are."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fastdigits.imaging.lines import find_lines
from fastdigits.inference.line_reader import LineReading, Symbol
from fastdigits.inference.numbers import LINES_AT_ONCE, NumberReader
from fastdigits.inference.sequences import Restriction

STEP, WIDTH, HEIGHT = 30, 14, 22  # pixels: distance of bars, and their size


def page(counts, leading=50):
    """Return a picture with a line of bars for each number of bars, and the boxes of the bars of each line."""
    picture, boxes = np.full((leading * len(counts) + 40, 400), 220, np.uint8), []
    for row, count in enumerate(counts):
        corners = [(40 + STEP * place, 30 + leading * row) for place in range(count)]
        for x, y in corners:
            picture[y : y + HEIGHT, x : x + WIDTH] = 40
        boxes.append([(x, y, WIDTH, HEIGHT) for x, y in corners])
    return picture, boxes


class Bars:
    """Reads a line of bars as 1.23 and so on, and remembers the restriction."""

    def __init__(self):
        self.restriction, self.sizes = None, []

    def read(self, pictures, restriction):
        self.restriction = restriction
        self.sizes.append(len(pictures))
        return [self._read(picture[..., 0]) for picture in pictures]

    def _read(self, picture):
        dark = picture[len(picture) // 2] < 128
        changes = np.flatnonzero(np.diff(dark.astype(int))) + 1
        spans = changes.reshape(-1, 2) / len(dark)
        symbols = [Symbol(str(place + 1), 0.9, *span) for place, span in enumerate(spans)]
        if len(symbols) > 1:
            between = spans[0][1], spans[1][0]
            symbols.insert(1, Symbol(".", 0.8, *between))
        text = "".join(symbol.symbol for symbol in symbols)
        return LineReading(
            text if len(text) != 1 else "-", 0.7, len(text) > 3, tuple(symbols) if len(text) != 1 else ()
        )


@pytest.fixture
def reader():
    reader = object.__new__(NumberReader)
    reader.line_reader = Bars()
    return reader


def test_numbers_are_read_line_by_line(reader):
    picture, boxes = page([4, 2])
    numbers = reader.read(picture)
    assert [number.text for number in numbers] == ["1.234", "1.2"]
    assert [number.unsure for number in numbers] == [True, False]
    assert [number.confidence for number in numbers] == [0.7, 0.7]
    for number, of_line, line in zip(numbers, boxes, find_lines(picture), strict=True):
        assert [digit.digit for digit in number.digits] == list(range(1, len(of_line) + 1))
        assert np.abs(np.array([digit.box for digit in number.digits]) - of_line).max() <= 2
        assert np.array_equal(number.corners, line.corners)


def test_lines_without_a_digit_are_omitted(reader):
    numbers = reader.read(page([3, 1, 2])[0])
    assert [number.text for number in numbers] == ["1.23", "1.2"]


def test_the_restriction_reaches_the_search(reader):
    restriction = Restriction(pattern="d.d")
    reader.read(page([2])[0], restriction)
    assert reader.line_reader.restriction is restriction


def test_progress_counts_lines(reader):
    seen = []
    reader.read(page([2] * (LINES_AT_ONCE + 2))[0], on_progress=lambda *counts: seen.append(counts))
    assert seen == [(LINES_AT_ONCE, LINES_AT_ONCE + 2), (LINES_AT_ONCE + 2, LINES_AT_ONCE + 2)]
    assert reader.line_reader.sizes == [LINES_AT_ONCE, 2]


def test_an_empty_page_has_no_numbers(reader):
    assert reader.read(np.full((200, 200), 220, np.uint8)) == []


def test_symbols_at_the_end_of_a_line_have_boxes_within_it(reader, monkeypatch):
    """A network may see symbols in the columns that are added to a short line; they count as at its end."""
    symbols = (Symbol("1", 0.9, 0.1, 0.2), Symbol("7", 0.4, 1.0, 1.0), Symbol("7", 0.4, 1.0, 1.0))
    monkeypatch.setattr(Bars, "_read", lambda self, picture: LineReading("177", 0.4, True, symbols))
    picture, boxes = page([1])
    [number] = reader.read(picture)
    assert np.abs(np.array(number.digits[0].box) - boxes[0][0]).max() <= 2
    for digit in number.digits:
        assert (np.array(digit.box) >= 0).all()
        assert digit.box[0] + digit.box[2] <= picture.shape[1]


def test_a_5_whose_bar_stands_apart_is_read():
    image = Image.new("L", (200, 160), 235)
    pen = ImageDraw.Draw(image)
    pen.line([(86, 50), (112, 47)], 40, 5)
    pen.line([(84, 58), (82, 76), (98, 74), (108, 82), (108, 96), (98, 106), (80, 104)], 40, 5, joint="curve")
    [number] = NumberReader(device="reference").read(np.asarray(image))
    assert number.text == "5"
    assert number.digits[0].box.top < 54  # of the bar
