"""Fixtures of the tests of networks."""

import numpy as np
import pytest

from fastdigits.models import layers_of
from fastdigits.nn import Network
from fastdigits.ops import LoadedOps, load

DEVICES = ("cpu", "reference")


@pytest.fixture
def load_ops():
    """Return the function that loads the operations of a device by its name."""
    return load


@pytest.fixture(params=DEVICES)
def ops(request):
    """Return the operations of each device in turn."""
    return load(request.param)


@pytest.fixture
def exact_ops():
    """Return the reference operations with float64 arrays instead of float32 ones: rounding errors are negligible."""
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
    """Return a function that builds a model for batches of 64 images, initialized with seed 0."""

    def build(model, ops):
        network = Network(layers_of(model))
        network.build(ops, 64)
        network.initialise(0)
        return network

    return build
