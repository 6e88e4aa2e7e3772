"""Test the pictures on which the shipped model is trained, and its calibration."""

import importlib

import numpy as np
import pytest

from fastdigits.data import load_part
from fastdigits.inference.recognizer import Prediction
from fastdigits.nn.calibration import Calibration


@pytest.fixture(scope="module")
def collect(scripts):
    return importlib.import_module("pictures.collect")


@pytest.fixture(scope="module")
def candidates(collect):
    images, labels = (part[:50] for part in load_part("mnist", "train"))
    return collect.Collection(3, images, labels).draw(12, 8, processes=2)


def test_pictures_do_not_depend_on_the_number_of_processes(collect, candidates):
    images, labels = (part[:50] for part in load_part("mnist", "train"))
    alone = collect.Collection(3, images, labels).draw(12, 8, processes=1)
    for name in ("images", "labels", "pictures"):
        assert (getattr(alone, name) == getattr(candidates, name)).all()


def test_each_digit_is_seen_once_and_each_negative_in_every_way(collect, candidates):
    assert candidates.images.shape == (len(candidates.labels), 28, 28)
    assert (candidates.pictures[:12] == np.arange(12)).all()
    assert (candidates.labels[:12] < 10).all()
    assert (candidates.labels[12:] == collect.NO_DIGIT).all()
    assert set(candidates.pictures[12:]) == set(range(12, 20))
    for number in range(20):
        assert candidates.attempts[candidates.pictures == number].tolist() == list(
            range(1, (candidates.pictures == number).sum() + 1)
        )


def test_the_calibration_lets_few_negatives_be_sure_at_any_attempt(collect):
    """A negative whose first two candidates have doubts d and e counts as min(d, 2 e)."""
    make = importlib.import_module("make_digits_model")
    count = 1000
    doubts = np.random.default_rng(0).uniform(0.01, 0.4, (count, 2))
    pictures = np.concatenate([np.arange(count), count + np.repeat(np.arange(count), 2)])
    labels = np.repeat([7, collect.NO_DIGIT], [count, 2 * count]).astype(np.uint8)
    candidates = collect.CandidateImages(np.zeros((3 * count, 28, 28), np.uint8), labels, pictures)
    all_doubts = np.concatenate([np.full(count, 0.001), doubts.reshape(-1)])

    class Doubtful:
        calibration = None

        def class_probabilities(self, images):
            return np.full((len(images), 11), 1 / 11, np.float32)

        def predict(self, images):
            return [Prediction(7, 1 - one, (), 1, False, one) for one in all_doubts]

    calibration = make._calibrate(Doubtful(), candidates)
    sure = np.minimum(doubts[:, 0], 2 * doubts[:, 1]) <= 1 - calibration.unsure_below
    assert isinstance(calibration, Calibration)
    assert sure.mean() == pytest.approx(make.MAX_CONFIDENT_NEGATIVES, abs=0.003)
