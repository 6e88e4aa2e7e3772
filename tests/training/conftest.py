"""Fixtures for the tests of training: a few images, and a function that trains on them."""

import pytest

from fastdigits import ops as devices
from fastdigits.config.training import TrainConfig
from fastdigits.data import load_digits
from fastdigits.models import MODELS, layers_of
from fastdigits.nn import BatchNorm, Conv2D, Dense, Dropout, GlobalAvgPool2D, Network, ReLU, Residual
from fastdigits.nn.layers import Layer
from fastdigits.training.callbacks import Callback
from fastdigits.training.loop import train


@pytest.fixture(params=["cpu", "reference"])
def ops(request):
    """The operations of each device."""
    return devices.load(request.param)


@pytest.fixture(scope="session")
def few():
    """The first 300 training images of MNIST with their labels."""
    mnist = load_digits()
    return mnist.train_images[:300], mnist.train_labels[:300]


@pytest.fixture
def noisy(monkeypatch):
    """The name of a network with running statistics and dropout."""

    def noisy(classes: int) -> list[Layer]:
        block = Residual([Conv2D(3, 3, padding="same"), BatchNorm()])
        return [Conv2D(3, 3, 3), BatchNorm(), ReLU(), block, ReLU(), GlobalAvgPool2D(), Dropout(0.25), Dense(classes)]

    monkeypatch.setitem(MODELS, "noisy", noisy)
    return "noisy"


@pytest.fixture
def fit(few):
    """fit(model, ...) trains a new network and returns it with its TrainingResult."""

    def fit(model="linear", device="cpu", callback=None, checkpoints=None, trained=None, **settings):
        network, config = Network(layers_of(model)), TrainConfig(**{"epochs": 2, **settings})
        arguments = network, *few, devices.load(device), config, callback or Callback()
        return network, train(*arguments, checkpoints=checkpoints, trained=trained)

    return fit


@pytest.fixture
def content():
    """content(network) returns all its parameters and running statistics as bytes."""
    return lambda network: {name: value.tobytes() for name, value in network.weights().items()}
