"""Fixtures of the tests of networks."""

import numpy as np
import pytest

from fastdigits.models import layers_of
from fastdigits.nn import Network
from fastdigits.ops import LoadedOps, load

DEVICES = ("cpu", "reference")


@pytest.fixture
def load_ops():
    """load_ops(device) returns the operations of a device."""
    return load


@pytest.fixture(params=DEVICES)
def ops(request):
    """The operations of each device."""
    return load(request.param)


@pytest.fixture
def exact_ops():
    """The reference operations with arrays of float64 instead of float32, so that rounding is negligible."""
    reference = load("reference")
    functions = {name: function for name, function in vars(reference).items() if callable(function)}

    def precise(dtype):
        return np.float64 if dtype == np.float32 else dtype

    functions["empty"] = lambda shape, dtype=np.float32: reference.empty(shape, precise(dtype))
    functions["zeros"] = lambda shape, dtype=np.float32: reference.zeros(shape, precise(dtype))
    functions["upload"] = lambda host: reference.upload(host.astype(precise(host.dtype)))
    return LoadedOps("reference", reference.lanes, functions)


@pytest.fixture
def build():
    """build(model, ops) returns a network for batches of 64 images, initialized with seed 0."""

    def build(model, ops):
        network = Network(layers_of(model))
        network.build(ops, 64)
        network.initialise(0)
        return network

    return build
