"""Whole networks on a real GPU."""

import numpy as np
import pytest
from golden import GOLDEN_CONFIG, GOLDEN_LOSSES

from fastdigits.check import gradients
from fastdigits.data import load_digits
from fastdigits.models import layers_of
from fastdigits.nn import BatchNorm, Conv2D, Dense, Dropout, GlobalAvgPool2D, MaxPool2D, ReLU, Residual
from fastdigits.training.callbacks import Callback

pytestmark = pytest.mark.gpu

TERMS = 100  # rounded terms that explain the difference after a few steps; the CPU needs 1, or 12 with `normalised`
NORMALISED = [
    *(Conv2D(17, 3, 2), BatchNorm(), ReLU(), MaxPool2D(2)),
    *(Residual([Conv2D(33, 3, padding="same"), BatchNorm(), ReLU()], projection=True), ReLU()),
    *(Dropout(0.25), GlobalAvgPool2D(), Dense(10)),
]
MODELS = {name: layers_of(name) for name in ("mlp", "lenet", "cnn", "record")} | {"normalised": NORMALISED}
AUGMENT = "shift=2,rotate=15,scale=0.1,shear=5,elastic=0.5,contrast=0.2,gamma=0.2,noise=0.1,erase=5"
FEW_STEPS = {"epochs": 2, "batch_size": 50, "validation": 0, "optimizer": "momentum", "lr": 0.005}


@pytest.fixture(scope="module")
def digits():
    """The first 2,000 training images of MNIST with their labels."""
    mnist = load_digits()
    return mnist.train_images[:2000], mnist.train_labels[:2000]


class Losses(Callback):
    """The loss of each step of the first epoch."""

    def __init__(self, batch_size):
        self.batch_size, self.totals = batch_size, [0.0]

    def on_step(self, epoch, images, total, metrics):
        self.totals.append(metrics()[0] * images)

    def losses(self):
        return np.diff(self.totals) / self.batch_size


def test_golden_losses_of_ten_steps(gpu, assertions, digits):
    callback = Losses(32)
    images, labels = digits
    assertions.train_network(gpu, MODELS["lenet"], (images[:320], labels[:320]), callback, **vars(GOLDEN_CONFIG))
    np.testing.assert_allclose(callback.losses(), GOLDEN_LOSSES, rtol=2e-6)


@pytest.mark.parametrize("model", MODELS)
def test_trains_like_the_definition(gpu, assertions, digits, model):
    images, labels = digits
    assertions.trains_like_the_definition(gpu, MODELS[model], (images[:130], labels[:130]), TERMS, **FEW_STEPS)


def test_trains_like_the_definition_on_augmented_images(gpu, assertions, digits):
    images, labels = digits
    settings = {**FEW_STEPS, "augment": AUGMENT, "optimizer": "sgd"}
    assertions.trains_like_the_definition(gpu, MODELS["mlp"], (images[:130], labels[:130]), 10 * TERMS, **settings)


@pytest.mark.parametrize("model", MODELS)
def test_evaluates_like_the_definition(gpu, assertions, digits, model):
    images, labels = digits
    assertions.evaluates_like_the_definition(gpu, MODELS[model], (images[:300], labels[:300]), 64, TERMS)


@pytest.mark.parametrize("name", [name for name, _ in gradients.steps(None)])
def test_gradients(gpu, name):
    results = dict(gradients.steps(gpu))[name]()
    assert [result.failure for result in results if not result.passed] == []


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "settings",
    [{}, {"augment": AUGMENT, "ema": 0.99, "clip_norm": 1.0}, {"batch_size": None, "epochs": 4}],
    ids=["plain", "many options", "all images"],
)
def test_graph_keeps_all_bits(gpu, assertions, digits, model, settings):
    assertions.graph_keeps_all_bits(gpu, MODELS[model], digits, **{"epochs": 3, **settings})


@pytest.mark.parametrize("model", ["lenet", "normalised"])
def test_a_thousand_steps_allocate_nothing(gpu, assertions, digits, model):
    import cupy

    def used():
        return cupy.get_default_memory_pool().used_bytes(), cupy.cuda.runtime.memGetInfo()

    assertions.steps_allocate_nothing(gpu, MODELS[model], digits, used, epochs=65, validation=0)  # of 16 steps each
