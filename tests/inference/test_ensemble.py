"""Averages over several networks and over several shifts of an image."""

from dataclasses import asdict

import numpy as np
import pytest

from fastdigits import ops as devices
from fastdigits.config.training import TrainConfig
from fastdigits.data import load_digits
from fastdigits.data.preprocessing import UNPREPARED, Normalisation, Preparation
from fastdigits.errors import UserError
from fastdigits.inference.ensemble import SHIFTS, evaluate_ensemble, shifted
from fastdigits.nn import Dense, Flatten, Network
from fastdigits.storage.weights import SavedNetwork


@pytest.fixture(scope="module")
def digits():
    mnist = load_digits()
    return mnist.test_images[:300], mnist.test_labels[:300]


def saved(seed, mean=0.13, std=0.31, layers=None, loss="cross-entropy", preparation=UNPREPARED):
    """A network of one dense layer with random weights."""
    random = np.random.default_rng(seed)
    network = Network(layers or [Flatten(), Dense(10)], preparation.input_shape(np.empty((1, 28, 28))))
    values = {
        name: random.normal(size=parameter.shape).astype(np.float32) / 28
        for name, parameter in network.parameters().items()
    }
    config = asdict(TrainConfig(loss=loss))
    normalisation = Normalisation(mean, std, preparation)
    return SavedNetwork(network.config(), values, normalisation, "dense", "mnist", config, [], {})


def probabilities(network, images):
    """Compute the probabilities with NumPy in float64."""
    x = (images.reshape(len(images), -1) / 255 - network.normalisation.mean) / network.normalisation.std
    scores = x @ network.weights["dense_1/weight"].T.astype(float) + network.weights["dense_1/bias"]
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def assert_is(evaluation, p, labels):
    read = p.argmax(1)
    confusion = [[((labels == true) & (read == column)).sum() for column in range(10)] for true in range(10)]
    assert evaluation.confusion.tolist() == confusion
    assert evaluation.loss == pytest.approx(-np.log(p[np.arange(len(labels)), labels]).mean(), rel=1e-5)


@pytest.mark.parametrize("device", ["cpu", "reference"])
def test_an_ensemble_tells_the_mean_of_its_probabilities(device, digits):
    images, labels = digits
    networks = [saved(0), saved(1, mean=0.2, std=0.5), saved(2, loss="mse")]
    verdict = evaluate_ensemble(networks, images, labels, devices.load(device))
    each = [probabilities(network, images) for network in networks]
    for member, p in zip(verdict.members, each, strict=True):
        assert_is(member, p, labels)
    assert_is(verdict.combined, np.mean(each, axis=0), labels)
    assert verdict.combined.seconds == pytest.approx(sum(member.seconds for member in verdict.members))


def test_several_looks_tell_the_mean_of_the_moved_images(digits):
    images, labels = digits
    networks = [saved(0), saved(1)]
    verdict = evaluate_ensemble(networks, images, labels, devices.load("cpu"), SHIFTS)
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    looks = [padded[:, i : i + 28, j : j + 28] for i in range(3) for j in range(3)]
    each = [np.mean([probabilities(network, look) for look in looks], axis=0) for network in networks]
    for member, p in zip(verdict.members, each, strict=True):
        assert_is(member, p, labels)
    assert_is(verdict.combined, np.mean(each, axis=0), labels)


def test_the_shifts_are_nine_and_the_first_is_none():
    assert len(set(SHIFTS)) == 9
    assert SHIFTS[0] == (0, 0)
    assert {abs(step) for shift in SHIFTS for step in shift} == {0, 1}


def test_moved_images_lose_what_leaves_them():
    image = np.arange(1, 7, dtype=np.uint8).reshape(1, 2, 3)
    assert shifted(image, 0, 0).tolist() == image.tolist()
    assert shifted(image, 1, 0).tolist() == [[[0, 0, 0], [1, 2, 3]]]
    assert shifted(image, -1, 1).tolist() == [[[0, 4, 5], [0, 0, 0]]]
    assert shifted(image, 0, -1).tolist() == [[[2, 3, 0], [5, 6, 0]]]
    assert shifted(image, 0, -1, background=255).tolist() == [[[2, 3, 255], [5, 6, 255]]]


def test_copies_of_one_network_agree_with_it(digits):
    ops, network = devices.load("cpu"), saved(3)
    alone, twice = (evaluate_ensemble([network] * n, *digits, ops).combined for n in (1, 2))
    assert twice.confusion.tolist() == alone.confusion.tolist()
    assert twice.loss == pytest.approx(alone.loss)


def test_padding_is_none_of_the_images_that_are_read(digits):
    images, labels = digits
    padded = saved(0, preparation=Preparation(pad=2))
    verdict = evaluate_ensemble([padded, saved(1)], images, labels, devices.load("cpu"), SHIFTS)
    each = [
        np.mean([probabilities(network, np.pad(shifted(images, *s), edges)) for s in SHIFTS], axis=0)
        for network, edges in ((padded, ((0, 0), (2, 2), (2, 2))), (saved(1), 0))
    ]
    assert_is(verdict.combined, np.mean(each, axis=0), labels)


def test_networks_with_different_images_or_classes_are_refused(digits):
    ops = devices.load("cpu")
    small = SavedNetwork(**{**vars(saved(0)), "network": Network([Flatten(), Dense(10)], (1, 14, 14)).config()})
    with pytest.raises(UserError, match="28 x 28 pixels with 10 classes and 14 x 14 pixels with 10"):
        evaluate_ensemble([saved(0), small], *digits, ops)
    more = saved(1, layers=[Flatten(), Dense(12)])
    with pytest.raises(UserError, match="with 12 classes"):
        evaluate_ensemble([saved(0), more], *digits, ops)
