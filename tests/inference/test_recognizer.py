"""Recognizers of ten and of eleven outputs, and the model shipped with fastdigits."""

import copy
import pickle

import numpy as np
import pytest
from pictures import scenes
from pictures.alphabet import DIGITS
from pictures.glyphs import from_strokes, jittered

from fastdigits.data import load_part
from fastdigits.imaging import Prepared
from fastdigits.inference import recognizer as module
from fastdigits.inference.recognizer import CandidateSearch, Prediction, Recognizer
from fastdigits.nn.calibration import Calibration

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shipped():
    return Recognizer()


def test_images_of_mnist_are_recognized(shipped):
    images, labels = load_part("mnist", "test")
    predictions = shipped.predict(images[:2000])
    correct = [prediction.digit == label for prediction, label in zip(predictions, labels, strict=False)]
    assert np.mean(correct) > 0.985
    for prediction in predictions:
        p = np.array(prediction.probabilities)
        assert p.sum() == pytest.approx(1)
        assert (prediction.digit, prediction.second) == tuple(np.argsort(-p, kind="stable")[:2])
        assert prediction.confidence == p.max()
        assert prediction.unsure == (prediction.doubt > 1 - shipped.calibration.unsure_below)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda recognizer: pickle.loads(pickle.dumps(recognizer))])
def test_a_copy_predicts_the_same(copied, shipped):
    images = load_part("mnist", "test")[0][:20]
    assert copied(shipped).predict(images) == shipped.predict(images)


def test_batches_of_any_size_give_the_same_probabilities(shipped):
    images = load_part("mnist", "test")[0][:40]
    many = shipped.class_probabilities(images)
    assert shipped.class_probabilities(images[:9]) == pytest.approx(many[:9], abs=1e-5)
    for index in range(9):
        assert shipped.class_probabilities(images[index : index + 1])[0] == pytest.approx(many[index], abs=1e-5)


def test_the_probability_of_no_digit_is_spread_over_the_digits(shipped, monkeypatch):
    p = np.zeros((1, 11))
    p[0, [4, 9, 10]] = 0.3, 0.1, 0.6
    monkeypatch.setattr(shipped, "class_probabilities", lambda images: p)
    monkeypatch.setattr(shipped, "calibration", Calibration(1.0, 0.5))
    (prediction,) = shipped.predict(np.zeros((1, 28, 28), np.uint8))
    assert prediction.no_digit == pytest.approx(0.6)
    assert prediction.probabilities == pytest.approx([0.06] * 4 + [0.36] + [0.06] * 4 + [0.16])
    assert (prediction.digit, prediction.second, prediction.unsure) == (4, 9, True)


def test_the_bias_changes_the_confidence_and_not_whether_a_prediction_is_unsure(shipped, monkeypatch):
    p = np.zeros((1, 11))
    p[0, [4, 9, 10]] = 0.3, 0.1, 0.6
    monkeypatch.setattr(shipped, "class_probabilities", lambda images: p)
    monkeypatch.setattr(shipped, "calibration", Calibration(1.0, 0.5, no_digit_bias=-np.log(3)))
    (prediction,) = shipped.predict(np.zeros((1, 28, 28), np.uint8))
    assert prediction.probabilities == pytest.approx(np.array([1 / 30] * 4 + [8 / 15] + [1 / 30] * 4 + [1 / 5]))
    assert (prediction.doubt, prediction.no_digit) == pytest.approx((0.64, 0.6))
    assert (prediction.digit, prediction.second, prediction.unsure) == (4, 9, True)


@pytest.mark.parametrize(
    ("confidences", "chosen", "unsure"),
    [
        ([0.85, 0.99], 0.85, False),  # the first candidate needs 0.8
        ([0.7, 0.95], 0.95, False),  # the second needs 0.9
        ([0.7, 0.85, 0.5], 0.85, True),
        ([0.7, 0.6, 0.92], 0.92, True),  # the third needs 0.93
        ([0.7, 0.6, 0.94], 0.94, False),
    ],
)
def test_each_further_candidate_needs_more_confidence(shipped, monkeypatch, confidences, chosen, unsure):
    def class_probabilities(images):
        p = np.zeros((1, 11))
        p[0, 3] = (confidences[images[0, 0, 0]] - 0.1) / 0.9  # plus a tenth of p[0, 10]
        p[0, 10] = 1 - p[0, 3]
        return p

    prepared_images = [Prepared(np.full((28, 28), level, np.uint8), None, ()) for level in range(len(confidences))]
    monkeypatch.setattr(module, "candidates", lambda picture: iter(prepared_images))
    monkeypatch.setattr(shipped, "class_probabilities", class_probabilities)
    monkeypatch.setattr(shipped, "calibration", Calibration(1.0, 0.8))
    prepared, prediction = shipped.recognize(np.zeros((9, 9, 3), np.uint8))
    assert prepared is prepared_images[confidences.index(chosen)]
    assert prediction.confidence == pytest.approx(chosen)
    assert (prediction.digit, prediction.unsure) == (3, unsure)


@pytest.mark.parametrize(("confidence", "chosen", "unsure"), [(0.85, 0, True), (0.99, 1, False)])
def test_what_a_candidate_encloses_is_chosen_only_if_it_is_sure(confidence, chosen, unsure):
    def prediction(confidence):
        return Prediction(0, confidence, (confidence,), 0, True, 1 - confidence)

    image = np.zeros((28, 28), np.uint8)
    outer, inner = (Prepared(image, None, (), enclosed=enclosed) for enclosed in (False, True))
    search = CandidateSearch(iter([outer, inner]), Calibration(1.0, 0.8))
    for found in (prediction(0.5), prediction(confidence)):
        assert search.next_candidate() is not None
        search.add(found)
    assert search.best == chosen
    assert search.tried[chosen][1].unsure is unsure


def slashed_zero(number):
    """Return a photograph, in uneven light, of a zero with a slash."""
    rng = np.random.default_rng([77, number])
    over, pen, style = rng.uniform(-0.05, 0.14), rng.uniform(0.04, 0.14), DIGITS["0"][rng.integers(2)]
    slash = [(0.74 + over, 0.2 - over), (0.26 - over, 0.8 + over)]
    glyph = from_strokes(jittered(rng, [*style, slash], 0.02), pen)
    coverage = scenes.placed(rng, glyph.edge, 200, 200, rng.uniform(100, 180))
    picture = scenes.inked(
        scenes.sheet(200, 200, scenes.near(rng, (0.92, 0.92, 0.9), 0.03)), coverage, (0.1, 0.1, 0.15)
    )
    return scenes.photographed(rng, scenes.lit(rng, picture, 0.5), 0.7, 0.015, 85)


def test_the_paper_inside_of_a_slashed_zero_is_not_taken_for_ink(shipped):
    """The network is sure of no reading of these zeros; all were read as other digits, from the paper inside."""
    numbers = 8, 29, 41, 61, 67, 87, 92, 102, 117, 119
    found = [shipped.recognize(slashed_zero(number))[1] for number in numbers]
    assert sum(prediction.digit == 0 for prediction in found) >= 8


def test_blank_pictures_are_unsure(shipped):
    for level in (0, 90, 255):
        _, prediction = shipped.recognize(np.full((60, 80, 3), level, np.uint8))
        assert prediction.unsure
        assert prediction.confidence < 0.5
