"""Whole networks as compiled for a GPU: the interpreter runs the PTX of each kernel of a training step."""

import numpy as np
import pytest
from golden import GOLDEN_CONFIG, GOLDEN_LOSSES

from fastdigits.data import load_digits
from fastdigits.models import layers_of
from fastdigits.nn import (
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Residual,
    Tanh,
)
from fastdigits.ops import load
from fastdigits.ops.batchnorm import cuda as batchnorm
from fastdigits.ops.variants.winograd import cuda as winograd
from fastdigits.training import trainer
from fastdigits.training.callbacks import Callback

pytestmark = pytest.mark.slow

TERMS = 200  # rounded terms in two steps of this network: 7 images, layers of 36 inputs, forward and backward
NETWORK = [
    *(Conv2D(2, 3, padding="same"), ReLU(), MaxPool2D(2)),
    *(Residual([Conv2D(2, 1), BatchNorm()]), ReLU(), Dropout(0.5)),
    *(Conv2D(2, 2), LeakyReLU(), Flatten(), Dense(3)),
]
WINOGRAD = 8  # times as many for Winograd's method; see `check`
NORMALISED = [
    *(Conv2D(3, 3, 2), BatchNorm(), ReLU()),
    *(Residual([Conv2D(2, 3, padding="same"), BatchNorm(), ReLU()], projection=True), ReLU()),
    *(Residual([Conv2D(2, 1), Tanh()]), Dropout(0.25), GlobalAvgPool2D(), Dense(3)),
]
THREE_BY_THREE = [
    Conv2D(5, 3, padding="same"),
    ReLU(),
    MaxPool2D(2),
    Conv2D(3, 3, padding="same"),
    ReLU(),
    Flatten(),
    Dense(3),
]
CONVOLUTIONS = [Conv2D(2, 3), ReLU(), Conv2D(2, 2), LeakyReLU(), Flatten(), Dense(3)]
NETWORKS = {"residual": NETWORK, "normalised": NORMALISED}
# One step on a whole batch and one on the rest. The gradient of a bias before a normalization is only rounding errors,
# which Adam would enlarge.
SETTINGS = {"epochs": 1, "batch_size": 5, "validation": 0, "optimizer": "momentum"}


@pytest.fixture(scope="module")
def ops(gpu):
    return load("cuda")


@pytest.mark.parametrize("network", NETWORKS)
def test_trains_like_the_definition(assertions, ops, digits, network):
    assertions.trains_like_the_definition(ops, NETWORKS[network], digits, TERMS, **SETTINGS)


def test_trains_like_the_definition_with_channels_in_parts(assertions, ops, digits, monkeypatch):
    monkeypatch.setattr(batchnorm, "MAX_VECTORS", 0)
    assertions.trains_like_the_definition(ops, NETWORK, digits, TERMS, **SETTINGS)


def test_trains_like_the_definition_by_winograds_method(assertions, gpu, ops, digits, monkeypatch):
    monkeypatch.setattr(winograd, "pays", lambda *sizes: True)
    gpu.launches.clear()
    assertions.trains_like_the_definition(ops, THREE_BY_THREE, digits, WINOGRAD * TERMS, **SETTINGS)
    assertions.graph_keeps_all_bits(ops, THREE_BY_THREE, digits, **SETTINGS | {"batch_size": 2})
    assert {"winograd_forward", "winograd_backward_input"} < {launch.name for launch in gpu.launches}


@pytest.mark.parametrize(
    ("network", "most_vectors"),
    [("residual", batchnorm.MAX_VECTORS), ("residual", 0), ("normalised", batchnorm.MAX_VECTORS)],
    ids=["residual", "residual, channels in parts", "normalised"],
)
def test_a_graph_of_the_kernels_changes_no_bit(assertions, gpu, ops, digits, monkeypatch, network, most_vectors):
    """Some kernels of the graph run concurrently with others, and the interpreter refuses what they would race for."""
    monkeypatch.setattr(batchnorm, "MAX_VECTORS", most_vectors)
    gpu.stream.log.clear()
    gpu.launches.clear()
    assertions.graph_keeps_all_bits(ops, NETWORKS[network], digits, **SETTINGS | {"batch_size": 2})
    assert gpu.stream.log == ["begin", "end", "launch", "launch"]  # the first three are whole batches, the last is not
    concurrent = {launch.name for launch in gpu.launches if launch.place.stream}
    assert concurrent == {"accumulate_metrics", "conv2d_backward_weight", "add_parts", "dense_backward_weight"}


@pytest.mark.parametrize("settings", [{"freeze": "conv2d_2"}, {"clip_norm": 0.1, "ema": 0.9}])
def test_a_graph_changes_no_bit_if_layers_are_frozen_or_steps_have_parts(
    assertions, ops, digits, settings, monkeypatch
):
    """The gradients of several batches are added up, which must wait for all of them."""
    monkeypatch.setattr(trainer, "MAX_MICRO_BATCH", 4)
    settings = SETTINGS | {"epochs": 3, "batch_size": None, **settings}
    assertions.graph_keeps_all_bits(ops, CONVOLUTIONS, digits, **settings)


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
