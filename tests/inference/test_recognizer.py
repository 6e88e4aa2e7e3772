"""Readers of ten and of eleven outputs, and the model that ships."""

import numpy as np
import pytest

from fastdigits.data import load_part
from fastdigits.imaging import Prepared
from fastdigits.inference import recognizer as module
from fastdigits.inference.recognizer import Recognizer
from fastdigits.nn.calibration import Calibration


@pytest.fixture(scope="module")
def shipped():
    return Recognizer()


def test_mnist_is_read_as_in_training(shipped):
    images, labels = load_part("mnist", "test")
    readings = shipped.predict(images[:2000])
    assert np.mean([reading.digit == label for reading, label in zip(readings, labels, strict=False)]) > 0.985
    for reading in readings:
        p = np.array(reading.probabilities)
        assert p.sum() == pytest.approx(1)
        assert (reading.digit, reading.second) == tuple(np.argsort(-p, kind="stable")[:2])
        assert reading.confidence == p.max()
        assert reading.unsure == (reading.confidence < shipped.calibration.unsure_below)


def test_one_a_few_and_many_images_are_read_alike(shipped):
    images = load_part("mnist", "test")[0][:40]
    many = shipped.class_probabilities(images)
    assert shipped.class_probabilities(images[:9]) == pytest.approx(many[:9], abs=1e-5)
    for number in range(9):
        assert shipped.class_probabilities(images[number : number + 1])[0] == pytest.approx(many[number], abs=1e-5)


def test_what_is_no_digit_is_shared_out_among_the_digits(shipped, monkeypatch):
    p = np.zeros((1, 11))
    p[0, [4, 9, 10]] = 0.3, 0.1, 0.6
    monkeypatch.setattr(shipped, "class_probabilities", lambda images: p)
    monkeypatch.setattr(shipped, "calibration", Calibration(1.0, 0.5))
    (reading,) = shipped.predict(np.zeros((1, 28, 28), np.uint8))
    assert reading.no_digit == pytest.approx(0.6)
    assert reading.probabilities == pytest.approx([0.06] * 4 + [0.36] + [0.06] * 4 + [0.16])
    assert (reading.digit, reading.second, reading.unsure) == (4, 9, True)


@pytest.mark.parametrize(
    ("confidences", "taken", "unsure"),
    [
        ([0.85, 0.99], 0.85, False),  # 0.8 is asked of the first way to see the picture
        ([0.7, 0.95], 0.95, False),  # 0.9 of the second
        ([0.7, 0.85, 0.5], 0.85, True),
        ([0.7, 0.6, 0.92], 0.92, True),  # 0.93 of the third
        ([0.7, 0.6, 0.94], 0.94, False),
    ],
)
def test_each_further_way_needs_more_confidence(shipped, monkeypatch, confidences, taken, unsure):
    def class_probabilities(images):
        p = np.zeros((1, 11))
        p[0, 3] = (confidences[images[0, 0, 0]] - 0.1) / 0.9  # its share of what is no digit adds the rest
        p[0, 10] = 1 - p[0, 3]
        return p

    ways = [Prepared(np.full((28, 28), number, np.uint8), None, ()) for number in range(len(confidences))]
    monkeypatch.setattr(module, "candidates", lambda picture: iter(ways))
    monkeypatch.setattr(shipped, "class_probabilities", class_probabilities)
    monkeypatch.setattr(shipped, "calibration", Calibration(1.0, 0.8))
    prepared, reading = shipped.recognize(np.zeros((9, 9, 3), np.uint8))
    assert prepared is ways[confidences.index(taken)]
    assert reading.confidence == pytest.approx(taken)
    assert (reading.digit, reading.unsure) == (3, unsure)


def test_where_there_is_nothing_it_is_unsure(shipped):
    for level in (0, 90, 255):
        _, reading = shipped.recognize(np.full((60, 80, 3), level, np.uint8))
        assert reading.unsure
        assert reading.confidence < 0.5
