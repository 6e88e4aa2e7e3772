"""The verdict on a trained network: better than chance or not, and why."""

import numpy as np
import pytest

from fastdigits.models import MODELS
from fastdigits.nn import Conv2D, Dense, Flatten, ReLU
from fastdigits.training.verdict import Verdict, matches_by_chance


def confusion(true, predicted):
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (np.asarray(true), np.asarray(predicted)), 1)
    return counts


def test_matches_by_chance_are_those_of_shuffled_predictions():
    random = np.random.default_rng(0)
    true, predicted = random.choice(4, 60, p=[0.6, 0.2, 0.1, 0.1]), random.choice(4, 60, p=[0.3, 0.3, 0.4, 0.0])
    matches = [(true == random.permutation(predicted)).sum() for _ in range(20_000)]
    mean, deviation = matches_by_chance(np.bincount(true, minlength=4), np.bincount(predicted, minlength=4))
    assert mean == pytest.approx(np.mean(matches), abs=0.1)
    assert deviation == pytest.approx(np.std(matches), rel=0.03)


@pytest.mark.parametrize(("images", "classes"), [(1, 1), (8, 1), (100, 2), (5000, 10)])
def test_a_network_that_is_always_right_is_above_chance(images, classes):
    true = np.arange(images) % classes
    assert Verdict(confusion(true, true)).above_chance


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_single_answer_is_chance_whatever_its_accuracy(share):
    true = np.where(np.arange(1000) < share * 1000, 3, np.arange(1000) % 3)
    verdict = Verdict(confusion(true, np.full(1000, 3)))
    assert not verdict.above_chance
    assert verdict.only_prediction == 3
    assert "answers 3 for every image" in verdict.message
    assert verdict.result == ("majority" if share == 0.95 else "chance")


def test_a_verdict_names_the_classes():
    verdict = Verdict(confusion(np.repeat([0, 1], [99, 1]), np.zeros(100, int)), ("a", "b", *"cdefghij"))
    assert verdict.message.startswith(
        "The network answers a for every image, and 99.0% of 100 images are of this class."
    )
    assert "class_weight='balanced'" in verdict.message
    assert verdict.to_dict()["only_prediction"] == "a"


def test_few_images_of_a_rare_class_suffice_to_be_above_chance():
    true = np.repeat([3, 7], [95, 5])
    predicted = np.repeat([3, 7, 3], [95, 4, 1])
    assert Verdict(confusion(true, predicted)).above_chance


def test_random_answers_are_chance_and_random_networks_are_rarely_not():
    random = np.random.default_rng(1)
    for images in (20, 300, 2000):
        wrong = sum(
            Verdict(confusion(random.integers(0, 10, images), random.integers(0, 10, images))).above_chance
            for _ in range(500)
        )
        assert wrong <= 10


def test_answers_less_often_right_than_the_most_frequent_class_are_chance():
    """They depend on the image, but always answering 3 is better."""
    true = np.repeat([3, 7], [950, 50])
    predicted = np.repeat([3, 7, 7], [475, 475, 50])
    verdict = Verdict(confusion(true, predicted))
    assert not verdict.above_chance
    assert "52.5% of 1,000 images are right, and always answering 3 gives 95.0%" in verdict.message


def test_a_weak_network_is_above_chance_on_enough_images():
    true = np.arange(2000) % 10
    weak = np.where(np.arange(2000) % 8 == 0, true, np.random.default_rng(2).integers(0, 10, 2000))
    assert Verdict(confusion(true, weak)).above_chance
    assert not Verdict(confusion(true[:20], weak[:20])).above_chance


@pytest.fixture
def dying(monkeypatch):
    """The name of a network with two ReLU."""
    layers = [Conv2D(6, 3, stride=5), ReLU(), Flatten(), Dense(20), ReLU(), Dense(10)]
    monkeypatch.setitem(MODELS, "dying", lambda classes: layers)
    return "dying"


def test_dead_units_are_counted_by_layer(dying, fit):
    _, training = fit(dying, "reference", epochs=2, lr=30.0, optimizer="sgd", clip_norm=1.0, schedule="constant")
    verdict = training.verdict
    assert not verdict.above_chance
    assert verdict.dead_units["relu_2"] == (20, 20)
    assert "20 of 20 in relu_2" in verdict.message
    assert "Lower lr, or try another seed." in verdict.message


def test_a_network_that_learns_is_above_chance_and_no_dead_unit_is_sought(fit):
    _, training = fit("linear")
    assert training.verdict.above_chance
    assert (training.verdict.message, training.verdict.dead_units) == ("", {})


def test_few_validation_images_are_completed_by_training_images(fit):
    for validation in (0, 8, 100):
        _, training = fit("linear", epochs=1, validation=validation)
        assert training.verdict.images == 300


def test_a_learning_rate_that_is_too_small_is_no_reason_to_lower_it(fit):
    _, training = fit("linear", lr=1e-9, optimizer="sgd")
    assert "Try another lr, more epochs, or another seed." in training.verdict.message
