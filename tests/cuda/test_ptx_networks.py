"""Whole networks as compiled for a GPU: the interpreter runs the PTX of each kernel of a training step."""

import numpy as np
import pytest
from golden import GOLDEN_CONFIG, GOLDEN_LOSSES

from fastdigits.data import load_digits
from fastdigits.models import layers_of
from fastdigits.nn import BatchNorm, Conv2D, Dense, Dropout, Flatten, LeakyReLU, MaxPool2D, ReLU, Residual
from fastdigits.ops import load
from fastdigits.ops.batchnorm import cuda as batchnorm
from fastdigits.training.callbacks import Callback

pytestmark = pytest.mark.slow

TERMS = 200  # rounded terms in two steps of this network: 7 images, layers of 36 inputs, forward and backward
NETWORK = [
    *(Conv2D(2, 3, padding="same"), ReLU(), MaxPool2D(2)),
    *(Residual([Conv2D(2, 1), BatchNorm()]), ReLU(), Dropout(0.5)),
    *(Conv2D(2, 2), LeakyReLU(), Flatten(), Dense(3)),
]
# One step on a whole batch and one on the rest. The gradient of a bias before a normalization is only rounding errors,
# which Adam would enlarge.
SETTINGS = {"epochs": 1, "batch_size": 5, "validation": 0, "optimizer": "momentum"}


@pytest.fixture(scope="module")
def ops(gpu):
    return load("cuda")


def test_trains_like_the_definition(assertions, ops, digits):
    assertions.trains_like_the_definition(ops, NETWORK, digits, TERMS, **SETTINGS)


def test_trains_like_the_definition_with_channels_in_parts(assertions, ops, digits, monkeypatch):
    monkeypatch.setattr(batchnorm, "MAX_VECTORS", 0)
    assertions.trains_like_the_definition(ops, NETWORK, digits, TERMS, **SETTINGS)


@pytest.mark.parametrize("most_vectors", [batchnorm.MAX_VECTORS, 0], ids=["one kernel", "parts"])
def test_a_graph_of_the_kernels_changes_no_bit(assertions, gpu, ops, digits, monkeypatch, most_vectors):
    monkeypatch.setattr(batchnorm, "MAX_VECTORS", most_vectors)
    gpu.stream.log.clear()
    assertions.graph_keeps_all_bits(ops, NETWORK, digits, **SETTINGS | {"batch_size": 2})
    assert gpu.stream.log == ["begin", "end", "launch", "launch"]  # the first three are whole batches, the last is not


def test_evaluates_like_the_definition(assertions, ops, digits):
    assertions.evaluates_like_the_definition(ops, NETWORK, digits, 4, TERMS)


class Losses(Callback):
    """The total loss after each step."""

    def __init__(self):
        self.totals = [0.0]

    def on_step(self, epoch, images, total, metrics):
        self.totals.append(metrics()[0] * images)


@pytest.mark.long
def test_golden_losses(assertions, ops):
    mnist, callback = load_digits(), Losses()
    digits = mnist.train_images[:320], mnist.train_labels[:320]
    assertions.train_network(ops, layers_of("lenet"), digits, callback, **vars(GOLDEN_CONFIG))
    np.testing.assert_allclose(np.diff(callback.totals) / GOLDEN_CONFIG.batch_size, GOLDEN_LOSSES, rtol=2e-6)


@pytest.mark.long
@pytest.mark.parametrize("model", ["mlp", "cnn", "record", "tiny-8k"])
def test_trains_a_model_like_the_definition(assertions, ops, model):
    mnist = load_digits()
    digits = mnist.train_images[:40], mnist.train_labels[:40]
    settings = SETTINGS | {"batch_size": 33, "lr": 0.005}
    assertions.trains_like_the_definition(ops, layers_of(model), digits, 100, **settings)
