import numpy as np
import pytest

from fastdigits import ops as devices
from fastdigits.config.training import TrainConfig
from fastdigits.nn.parameter import Parameter, ParameterBuffer
from fastdigits.training.optimizer import Optimizer


@pytest.mark.parametrize("device", ["cpu", "reference"])
@pytest.mark.parametrize(("limit", "moved"), [(1.0, 1.0), (100.0, 50.0)])
def test_no_step_of_gradient_descent_is_longer_than_the_limit(device, limit, moved):
    ops = devices.load(device)
    parameters = [Parameter("weight", (30, 70)), Parameter("bias", (11,))]
    buffer = ParameterBuffer(ops, parameters, training=True)
    optimizer = Optimizer(ops, TrainConfig(optimizer="sgd", lr=1.0, clip_norm=limit), buffer)
    direction = np.random.default_rng(0).normal(size=(30, 70))
    parameters[0].gradient[...] = 50 * direction / np.linalg.norm(direction)
    optimizer.step(1.0)
    assert np.linalg.norm(parameters[0].value) == pytest.approx(moved, rel=1e-5)
    np.testing.assert_allclose(parameters[0].value, -moved * direction / np.linalg.norm(direction), atol=1e-6 * moved)
    assert optimizer.factor[0] == pytest.approx(moved / 50)
    assert not np.any(parameters[1].value)


def test_clipping_affects_only_long_gradients(fit, content):
    plain = content(fit()[0])
    assert content(fit(clip_norm=1e-3)[0]) != plain
    assert content(fit(clip_norm=1e6)[0]) == plain


def test_clipping_gives_the_same_bits_at_any_number_of_threads(fit, content):
    settings = {"clip_norm": 0.5, "ema": 0.9}
    many = content(fit("lenet", **settings)[0])
    try:
        devices.load("cpu", threads=1)
        network = fit("lenet", **settings)[0]
    finally:
        devices.load("cpu")
    assert content(network) == many


def test_clipping_prevents_divergence_at_a_high_learning_rate(fit):
    """Plain gradient descent diverges at this rate; with clipped gradients it stays finite."""
    _, training = fit("mlp", optimizer="sgd", lr=5.0, schedule="constant", clip_norm=0.05, epochs=3)
    assert training.epochs[-1].train_loss < training.epochs[0].train_loss
