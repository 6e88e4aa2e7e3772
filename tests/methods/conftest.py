"""Fixtures of the tests of training methods: few images, and a way to learn from them."""

import pytest

from fastdigits import ops as devices
from fastdigits.config import TrainConfig
from fastdigits.dataset import load
from fastdigits.models import layers_of
from fastdigits.nn import Network
from fastdigits.train import train
from fastdigits.watcher import Watcher


@pytest.fixture(scope="session")
def few():
    """The first 300 training images of MNIST with their labels."""
    mnist = load()
    return mnist.train_images[:300], mnist.train_labels[:300]


@pytest.fixture
def learn(few):
    """learn(model, ...) trains a new network and returns it with its Training."""

    def learn(model="linear", device="cpu", watcher=None, checkpoints=None, **settings):
        network, config = Network(layers_of(model)), TrainConfig(**{"epochs": 2, **settings})
        watcher = watcher or Watcher()
        return network, train(network, *few, devices.load(device), config, watcher, checkpoints=checkpoints)

    return learn


@pytest.fixture
def content():
    """content(network) has all its parameters as bytes."""
    return lambda network: {name: value.tobytes() for name, value in network.values().items()}
