"""Test how the training lines of the model of whole numbers are drawn, and how its confidence is calibrated."""

import importlib

import numpy as np
import pytest

from fastdigits.data import load_part
from fastdigits.imaging.line_format import LINE_HEIGHT, to_line_format
from fastdigits.imaging.pieces import Pieces
from fastdigits.inference.lattice import Lattice
from fastdigits.inference.sequences import Reading


@pytest.fixture(scope="module")
def modules(scripts):
    return {name: importlib.import_module(f"lines.{name}") for name in ("collect", "calibrate", "styles")}


def test_lines_do_not_depend_on_the_number_of_processes(modules):
    images, labels = (part[:50] for part in load_part("mnist", "train"))
    one, two = (modules["collect"].LineCollection(3, images, labels).draw(6, processes) for processes in (1, 2))
    assert one.texts == two.texts
    for first, second in zip(one.images, two.images, strict=True):
        assert first.shape[0] == LINE_HEIGHT
        assert np.array_equal(first, second)


def test_every_digit_has_hasty_styles_within_reach_of_its_box(modules):
    assert set(modules["styles"].HASTY) == set("0123456789")
    for styles in modules["styles"].HASTY.values():
        for x, y in (point for style in styles for stroke in style for point in stroke):
            assert -0.1 <= x <= 1.15
            assert -0.1 <= y <= 1.2


def test_pictures_are_those_of_the_lines(modules):
    images, labels = (part[:50] for part in load_part("mnist", "train"))
    collection = modules["collect"].LineCollection(3, images, labels)
    pictures, texts = collection.pictures(3, 2)
    drawn = collection.draw(3, 1)
    assert texts == drawn.texts
    for picture, image in zip(pictures, drawn.images, strict=True):
        assert np.array_equal(to_line_format(picture), image)


def fit(modules, found, texts):
    """Calibrate without pieces that tell the texts of a line apart."""
    empty = Lattice(Pieces(0, np.empty(0, int), np.empty(0, int), np.empty((0, 28, 28), np.uint8)), np.empty((0, 10)))
    return modules["calibrate"].fit(found, [empty] * len(found), texts)


def two_texts(p):
    """Return what is found in a line that is a 3 with probability p, and otherwise an 8."""
    return [[Reading("3", np.log(p)), Reading("8", np.log(1 - p))]]


def test_the_temperature_corrects_a_network_that_is_too_sure(modules):
    """Of readings with a confidence of 0.99, 80 % are right: log(0.99 / 0.01) / T = log(0.8 / 0.2)."""
    found, texts = [two_texts(0.99)] * 100, ["3"] * 80 + ["8"] * 20
    calibration = fit(modules, found, texts)
    assert calibration.temperature == pytest.approx(np.log(99) / np.log(4), rel=0.01)
    assert calibration.unsure_below == 1.0


def test_the_kind_of_a_separator_is_no_mistake(modules):
    found = [[Reading("3.", np.log(0.9)), Reading("8", np.log(0.1))]]
    temperatures = [fit(modules, [found] * 50, [text] * 50).temperature for text in ("3,-", "9")]
    assert temperatures[0] < temperatures[1]  # all right, all wrong


def test_few_of_the_sure_readings_are_wrong(modules):
    confidences = np.linspace(1, 0.001, 1000)
    right = np.ones(1000, bool)
    right[[300, *range(500, 520)]] = False
    least = modules["calibrate"].least_sure(confidences, right)
    assert least == confidences[505]  # 7 wrong of 506; of 507, 8 are wrong, and of all 1000, 21
