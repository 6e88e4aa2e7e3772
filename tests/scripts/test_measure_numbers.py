"""Measure how many whole numbers are read."""

import numpy as np
import pytest
from measure_numbers import INK, MARGIN, labelled_pictures, line, measure, mnist_lines
from PIL import Image
from scipy import ndimage

from fastdigits.data import load_part
from fastdigits.errors import UserError
from fastdigits.inference.numbers import Digit, Number


class Reader:
    """Gives the same numbers for every picture."""

    def __init__(self, *texts, unsure=False):
        digits = [tuple(Digit(int(symbol), 1.0, (0, 0, 1, 1)) for symbol in text if symbol != ".") for text in texts]
        self.numbers = [Number(text, 1.0, unsure, of, ()) for text, of in zip(texts, digits, strict=True)]

    def read(self, picture):
        return self.numbers


def strokes(picture):
    return ndimage.label(255 - picture > INK, np.ones((3, 3)))[1]


def test_lines_are_the_same_every_time_and_have_two_to_six_digits():
    first, second = list(mnist_lines(12)), list(mnist_lines(12))
    for (picture, digits), (again, same) in zip(first, second, strict=True):
        assert np.array_equal(picture, again)
        assert digits == same
        assert 2 <= len(digits) <= 6
        assert len(picture) == 28 + 2 * MARGIN
    assert len({digits for _, digits in first}) == 12


def test_digits_touch_without_a_gap_only():
    images, labels = load_part("mnist", "test")
    zeros = images[np.flatnonzero(labels == 0)[:4]]
    assert strokes(line(zeros, np.array([0, 0, 0, 0]))) == 1
    assert strokes(line(zeros, np.array([3, 3, 3, 3]))) == 4


def test_separators_are_ignored_and_sure_mistakes_counted():
    pictures = [(np.zeros((9, 9)), "1234"), (np.zeros((9, 9)), "12")]
    assert measure(Reader("1.234"), pictures).startswith("2 | 50.0% | 100.0% | 50.0% |")
    assert measure(Reader("12", "34", unsure=True), pictures).startswith("2 | 50.0% | 0.0% | 0.0% |")
    assert measure(Reader(), pictures).startswith("2 | 0.0% | 0.0% | 0.0% |")
    with pytest.raises(UserError, match="no picture to measure"):
        measure(Reader(), [])


def test_pictures_come_with_their_digits(tmp_path):
    Image.new("RGB", (20, 10)).save(tmp_path / "a.png")
    (tmp_path / "labels.csv").write_text("file,digits\na.png,0120\n")
    ((picture, digits),) = labelled_pictures(tmp_path)
    assert (picture.shape, digits) == ((10, 20, 3), "0120")
