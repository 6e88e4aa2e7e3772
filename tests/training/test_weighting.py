"""Weights of images in the loss: from classes and samples, in the training step."""

import numpy as np
import pytest

from fastdigits import Callback, Dense, Flatten, Sequential, UserError
from fastdigits.training.weighting import image_weights

LABELS = np.array([0, 0, 0, 2], np.uint8)


@pytest.mark.parametrize(
    ("class_weight", "sample_weight", "expected"),
    [
        (None, None, None),
        (None, [1, 2, 0, 0.5], [1, 2, 0, 0.5]),
        ({2: 3}, None, [1, 1, 1, 3]),
        ({2: 3, 0: 0.5}, [1, 2, 0, 2], [0.5, 1, 0, 6]),
        ("balanced", None, [2 / 3, 2 / 3, 2 / 3, 2]),
    ],
    ids=str,
)
def test_weights_of_classes_and_samples_are_multiplied(class_weight, sample_weight, expected):
    weights = image_weights(LABELS, class_weight, sample_weight)
    if expected is None:
        assert weights is None
    else:
        np.testing.assert_allclose(weights, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("class_weight", "sample_weight", "message"),
    [
        ("even", None, "class_weight must be"),
        ({0: -1}, None, "weight of class 0"),
        ({0: "x"}, None, "weight of class 0"),
        ({0: float("nan")}, None, "weight of class 0"),
        ({3: 2.0}, None, "class_weight has 3, which is no class; give numbers of classes from 0 to 2"),
        ({-1: 2.0}, None, "has -1, which is no class"),
        ({1.5: 2.0}, None, "has 1.5, which is no class"),
        ({"two": 2.0}, None, "has 'two', which is no class"),
        ({0: 0, 2: 0}, None, "All weights"),
        (None, [1, 2], "4 numbers, one for each image, not of shape"),
        (None, [1, 2, 3, -1], "at least 0"),
        (None, [1, 2, 3, np.inf], "at least 0"),
        (None, "abcd", "4 numbers"),
    ],
    ids=str,
)
def test_wrong_weights_are_user_errors(class_weight, sample_weight, message):
    with pytest.raises(UserError, match=message):
        image_weights(LABELS, class_weight, sample_weight, classes=3)


def test_a_weight_of_a_class_that_the_network_lacks_is_refused():
    model, images = (
        Sequential([Flatten(), Dense(3)], input_shape=(1, 4, 4), device="reference"),
        np.ones((4, 4, 4), "u1"),
    )
    for train in (model.fit, model.train_on_batch):
        with pytest.raises(UserError, match="no class; give numbers of classes from 0 to 2"):
            train(images, LABELS, class_weight={3: 2.0})


class Losses(Callback):
    """Keep the loss of each step."""

    def __init__(self):
        self.losses = []

    def on_step(self, epoch, images, total, metrics):
        self.losses.append(metrics()[0])


@pytest.mark.parametrize("device", ["reference", "cpu"])
def test_a_step_descends_the_weighted_loss(device):
    """One step of gradient descent on all images at once, against the formula of logistic regression in float64."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (37, 4, 3), np.uint8), rng.integers(0, 3, 37).astype(np.uint8)
    weights = rng.uniform(0, 3, 37)
    model = Sequential([Flatten(), Dense(3, initializer="normal")], input_shape=(1, 4, 3), device=device)
    steps = {"optimizer": "sgd", "lr": 0.1, "schedule": "constant", "batch_size": None, "normalise": False}
    loss = Losses()
    fitting = {"epochs": 2, "sample_weight": weights, "validation": 0}
    with pytest.warns():  # two steps learn nothing
        model.fit(images, labels, loss, **fitting, **steps)
    trained = model._trained.pool.network.weights()

    network = model.network
    network.initialise(0)
    weight, bias = (value.astype(float) for value in network.weights().values())
    x, goal = images.reshape(37, -1) / 255, np.eye(3)[labels]
    for step in range(2):
        scores = x @ weight.T + bias
        p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
        expected = -(weights * np.log(p[np.arange(37), labels])).mean()
        assert loss.losses[step] == pytest.approx(expected, rel=1e-5)
        slope = weights[:, None] * (p - goal) / 37
        weight, bias = weight - 0.1 * slope.T @ x, bias - 0.1 * slope.sum(0)
    np.testing.assert_allclose(trained["dense_1/weight"], weight, atol=1e-5)
    np.testing.assert_allclose(trained["dense_1/bias"], bias, atol=1e-5)


@pytest.fixture(scope="module")
def blobs():
    """Images of three classes, each with light in another row; 90 of the first class, 12 of each other."""
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(3, dtype=np.uint8), (90, 12, 12))
    images = rng.integers(0, 120, (len(labels), 6, 6), np.uint8)
    images[np.arange(len(labels)), labels] += np.uint8(30)
    return images, labels


def predictions(blobs, **fitting):
    model = Sequential([Flatten(), Dense(3)], input_shape=(1, 6, 6), device="cpu")
    model.fit(*blobs, epochs=6, batch_size=16, lr=0.01, **fitting)
    return model.predict(blobs[0])


@pytest.mark.filterwarnings("ignore")
def test_weights_of_one_change_nothing_and_steps_with_weights_are_replayed(blobs):
    expected = predictions(blobs).tobytes()
    assert predictions(blobs, sample_weight=np.ones(114)).tobytes() == expected
    weighted = predictions(blobs, class_weight={1: 4.0})
    assert weighted.tobytes() != expected
    assert weighted.tobytes() == predictions(blobs, class_weight={1: 4.0}, graph=False).tobytes()


@pytest.mark.filterwarnings("ignore")
def test_images_of_weight_zero_do_not_count(blobs):
    images, labels = blobs
    spoiled = labels.copy()
    spoiled[:20] = 2
    fitting = {"sample_weight": np.arange(114) >= 20, "validation": 0}
    assert predictions((images, spoiled), **fitting).tobytes() == predictions(blobs, **fitting).tobytes()


@pytest.mark.filterwarnings("ignore")
def test_balanced_classes_are_predicted_about_equally_often(blobs):
    plain, balanced = predictions(blobs), predictions(blobs, class_weight="balanced")
    rare = blobs[1] > 0
    assert balanced[rare, 0].mean() < plain[rare, 0].mean()
