"""Explanations: the gradient of the input against central differences, and the outputs of the layers."""

import numpy as np
import pytest

from fastdigits import ops as devices
from fastdigits.check.gradients import float64_reference
from fastdigits.config.training import TrainConfig
from fastdigits.data.preprocessing import Normalisation, Preparation
from fastdigits.errors import UserError
from fastdigits.inference.explain import explain, gradient_of_winner
from fastdigits.models import network_of
from fastdigits.nn import (
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    LeakyReLU,
    LocalResponseNorm,
    MaxPool2D,
    Network,
    ReLU,
    Residual,
    Sigmoid,
    Tanh,
)
from fastdigits.storage.weights import SavedNetwork

STEP = 1e-6  # of central differences in float64; their rounding error is about 1e-16 / STEP


def randomised(network, ops):
    """A network with random parameters and running statistics, built for explanations."""
    network.build(ops, 1, fused=False)
    random = np.random.default_rng(3)
    values = {name: random.standard_normal(p.shape) / np.sqrt(p.fan_in or 2) for name, p in network.state().items()}
    network.set_weights({name: np.abs(v) + 0.5 if "var" in name else v for name, v in values.items()})
    return network


def saved_of(network, normalisation):
    network = randomised(network, devices.load("reference"))
    config = vars(TrainConfig())
    return SavedNetwork(network.config(), network.weights(), normalisation, "model", "data", config, [], {})


NETWORKS = {
    "convolutions": [Conv2D(3, 3, 1, 1), BatchNorm(), ReLU(), MaxPool2D(2), Conv2D(4, 3), Tanh(), AvgPool2D(2)],
    "normalised input": [BatchNorm(), Conv2D(6, 3, 2), LeakyReLU(), LocalResponseNorm(), Conv2D(3, 2), BatchNorm()],
    "blocks": [
        *(Residual([Conv2D(3, 3, 2, 1), BatchNorm(), ReLU(), Conv2D(3, 3, 1, 1), BatchNorm()], True), ReLU()),
        *(Residual([BatchNorm(), Sigmoid(), Dropout(0.5), Conv2D(3, 3, 1, 1)]), Tanh()),
    ],
    "dense": [Flatten(), Dropout(0.3), Dense(20), BatchNorm(), Sigmoid(), Dropout(0.4), Dense(12), ReLU(), Dense(9)],
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_gradient_of_the_input_is_that_of_differences(kind):
    body = NETWORKS[kind]
    head = [] if kind == "dense" else [GlobalAvgPool2D(), Dense(5)] if kind == "blocks" else [Flatten(), Dense(5)]
    network = randomised(Network([*body, *head], (1, 11, 13)), float64_reference(devices.load("reference")))
    x = np.random.default_rng(5).standard_normal((1, 1, 11, 13, 1))
    scores, gradient = gradient_of_winner(network, x)
    winner, found = scores[0, :, 0].argmax(), gradient[0, 0, :, :, 0].copy()
    differences = np.empty((11, 13))
    for place in np.ndindex(11, 13):
        sides = []
        for step in (STEP, -STEP):
            moved = x.copy()
            moved[(0, 0, *place, 0)] += step
            sides.append(float(network.forward(moved)[0, winner, 0]))
        differences[place] = (sides[0] - sides[1]) / (2 * STEP)
    assert np.abs(found).max() > 1e-3
    np.testing.assert_allclose(found, differences, atol=1e-8 * max(1, np.abs(scores).max()))


def test_saliency_of_a_linear_network_is_its_weights():
    """With a normalised brightness: score = weight (brightness - mean) / std + bias."""
    saved = saved_of(network_of("linear"), Normalisation(0.13, 0.31))
    image = np.random.default_rng(7).integers(0, 256, (28, 28), np.uint8)
    found = explain(saved, image, devices.load("reference"))
    weight, bias = saved.weights["dense_1/weight"], saved.weights["dense_1/bias"]
    scores = weight @ ((image.ravel() / 255 - 0.13) / 0.31) + bias
    assert found.digit == scores.argmax()
    np.testing.assert_allclose(found.saliency.ravel(), weight[found.digit] / 0.31, rtol=1e-5)
    shares = np.exp(scores - scores.max())
    np.testing.assert_allclose(found.probabilities, shares / shares.sum(), rtol=1e-4, atol=1e-9)
    np.testing.assert_array_equal(found.image, image)
    assert list(found.maps) == ["dense_1"]
    np.testing.assert_allclose(found.maps["dense_1"], scores, rtol=1e-4, atol=1e-5)


def test_smoothing_averages_gradients_near_the_image_and_leaves_the_prediction_alone():
    """The gradient of a linear network is the same everywhere; that of a deep one varies from pixel to pixel."""
    reference = devices.load("reference")
    image = np.random.default_rng(7).integers(0, 256, (28, 28), np.uint8)
    linear = explain(saved_of(network_of("linear"), Normalisation(0.13, 0.31)), image, reference, smooth=True)
    np.testing.assert_allclose(linear.smooth_saliency, linear.saliency, rtol=1e-4, atol=1e-6)
    saved = saved_of(Network(NETWORKS["dense"], (1, 5, 6)), Normalisation(0.1, 0.5))
    plain, smoothed, again = (explain(saved, image[:5, :6], reference, 4, smooth) for smooth in (False, True, True))
    np.testing.assert_array_equal(smoothed.probabilities, plain.probabilities)
    np.testing.assert_array_equal(smoothed.saliency, plain.saliency)
    np.testing.assert_array_equal(smoothed.smooth_saliency, again.smooth_saliency)
    assert plain.smooth_saliency.size == 0
    assert np.corrcoef(smoothed.smooth_saliency.ravel(), plain.saliency.ravel())[0, 1] > 0.5
    assert not np.allclose(smoothed.smooth_saliency, plain.saliency, rtol=1e-3)


def test_what_each_stage_makes():
    layers = [Conv2D(3, 3), BatchNorm(), ReLU(), MaxPool2D(2), Flatten(), Dropout(0.5), Dense(4), Tanh(), Dense(5)]
    saved = saved_of(Network(layers, (1, 10, 12)), Normalisation(0.0, 1.0, Preparation(pad=1)))
    image = np.random.default_rng(7).integers(0, 256, (8, 10), np.uint8)
    found = explain(saved, image, devices.load("reference"))
    assert {name: array.shape for name, array in found.maps.items()} == {
        "conv2d_1, BatchNorm, ReLU": (3, 8, 10),
        "maxpool2d_1": (3, 4, 5),
        "dense_1, Tanh": (4,),
        "dense_2": (5,),
    }
    convolved, pooled, hidden, scores = found.maps.values()
    assert convolved.min() == 0 < convolved.max()
    np.testing.assert_array_equal(pooled, convolved.reshape(3, 4, 2, 5, 2).max((2, 4)))
    value = saved.weights
    expected = np.tanh(value["dense_1/weight"] @ pooled.ravel() + value["dense_1/bias"])
    np.testing.assert_allclose(hidden, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(scores, value["dense_2/weight"] @ hidden + value["dense_2/bias"], rtol=1e-4, atol=1e-5)
    assert found.image.shape == found.saliency.shape == (10, 12)
    np.testing.assert_array_equal(found.image[1:-1, 1:-1], image)


def test_every_device_sees_the_same():
    saved = saved_of(Network(NETWORKS["dense"], (1, 5, 6)), Normalisation(0.1, 0.5))
    image = np.random.default_rng(7).integers(0, 256, (5, 6), np.uint8)
    defined, computed = (explain(saved, image, devices.load(device)) for device in ("reference", "cpu"))
    np.testing.assert_allclose(computed.saliency, defined.saliency, rtol=1e-4, atol=1e-6)
    for name, array in defined.maps.items():
        np.testing.assert_allclose(computed.maps[name], array, rtol=1e-4, atol=1e-6)


def test_an_image_of_another_size():
    saved = saved_of(network_of("linear"), Normalisation(0.1, 0.3))
    with pytest.raises(UserError, match="Expected 28 x 28 images, got 14 x 28"):
        explain(saved, np.zeros((14, 28), np.uint8), devices.load("reference"))
