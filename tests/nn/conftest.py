"""Fixtures of the tests of networks."""

import pytest

from fastdigits.models import layers_of
from fastdigits.nn import Network
from fastdigits.ops import load

DEVICES = ("cpu", "reference")


@pytest.fixture
def load_ops():
    """load_ops(device) has the operations of a device."""
    return load


@pytest.fixture(params=DEVICES)
def ops(request):
    """The operations of one device after the other."""
    return load(request.param)


@pytest.fixture
def build():
    """build(model, ops) is a network for batches of 64 images with the random start of seed 0."""

    def build(model, ops):
        network = Network(layers_of(model))
        network.build(ops, 64)
        network.initialise(0)
        return network

    return build
