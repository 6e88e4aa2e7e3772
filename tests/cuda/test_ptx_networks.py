"""Whole networks as compiled for a GPU: the interpreter runs the PTX of each kernel of a training step."""

import numpy as np
import pytest
from golden import GOLDEN_CONFIG, GOLDEN_LOSSES

from fastdigits.data import load_digits
from fastdigits.models import layers_of
from fastdigits.nn import AvgPool2D, BatchNorm, Conv2D, Dense, Dropout, Flatten, LeakyReLU, MaxPool2D, ReLU, Residual
from fastdigits.ops import load
from fastdigits.training.callbacks import Callback

pytestmark = pytest.mark.slow

TERMS = 200  # rounded terms in two steps of these networks: 7 images, layers of 36 inputs, forward and backward
NETWORKS = {
    "dense": [Flatten(), Dense(5), ReLU(), Dropout(0.25), Dense(3)],
    "convolutions": [
        *(Conv2D(2, 3, padding="same"), ReLU(), MaxPool2D(2)),
        *(Conv2D(2, 2), LeakyReLU(), Conv2D(2, 1), ReLU()),
        *(Flatten(), Dense(3)),
    ],
    "normalised": [
        *(Conv2D(2, 3), ReLU(), AvgPool2D(2)),
        *(Residual([Conv2D(2, 1), BatchNorm()]), ReLU(), Dropout(0.5)),
        *(Flatten(), Dense(3)),
    ],
}
# One step on a whole batch and one on the rest. The gradient of a bias before a normalization is only rounding errors,
# which Adam would enlarge.
SETTINGS = {"epochs": 1, "batch_size": 5, "validation": 0, "optimizer": "momentum"}


@pytest.fixture(scope="module")
def digits():
    """Seven random images of 6 x 6 pixels."""
    images = np.random.default_rng(0).integers(0, 256, (7, 6, 6), np.uint8)
    return images, np.arange(7, dtype=np.uint8) % 3


@pytest.fixture(scope="module")
def ops(gpu):
    return load("cuda")


class Losses(Callback):
    """The losses of the first steps, after which training stops."""

    def __init__(self, steps):
        self.steps, self.totals = steps, [0.0]

    def on_step(self, epoch, images, total, metrics):
        self.totals.append(metrics()[0] * images)
        if len(self.totals) > self.steps:
            self.training.stop()


@pytest.mark.parametrize("steps", [2, pytest.param(10, marks=pytest.mark.long)])
def test_golden_losses(assertions, ops, steps):
    mnist, callback = load_digits(), Losses(steps)
    digits = mnist.train_images[:320], mnist.train_labels[:320]
    assertions.train_network(ops, layers_of("lenet"), digits, callback, **vars(GOLDEN_CONFIG))
    losses = np.diff(callback.totals) / GOLDEN_CONFIG.batch_size
    np.testing.assert_allclose(losses, GOLDEN_LOSSES[:steps], rtol=2e-6)


@pytest.mark.parametrize("network", ["convolutions", "normalised"])
def test_trains_like_the_definition(assertions, ops, network, digits):
    assertions.trains_like_the_definition(ops, NETWORKS[network], digits, TERMS, **SETTINGS)
