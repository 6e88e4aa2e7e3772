"""Compile the kernels of every network, and of convolutions with large strides, without a GPU. This takes minutes."""

import sys

import numpy
import pytest

from fastdigits import ops as devices
from fastdigits.check import cases
from fastdigits.config.training import TrainConfig
from fastdigits.data.batches import Batches
from fastdigits.models import MODELS, network_of
from fastdigits.training import precompile
from fastdigits.training.trainer import build_for_training

pytestmark = [pytest.mark.slow, pytest.mark.long]

IMAGES = numpy.zeros((256, 28, 28), numpy.uint8)
ROWS = numpy.arange(len(IMAGES), dtype=numpy.int32)
SETTINGS = {"batch_size": 128, "validation": 0, "ema": 0.9, "clip_norm": 1.0}
STRIDED = [(2, 3, 5, (23, 25), kernel, stride, (1, 2), (2, 1)) for stride in (2, 3, 4) for kernel in ((3, 3), (7, 7))]


@pytest.fixture(scope="module")
def compiled():
    """The kernels that this module has compiled, with the kinds of their arguments: networks share many."""
    return set()


@pytest.fixture
def new_kernels(needs_numba_cuda, monkeypatch, compiled):
    """new_kernels(work) returns the kernels that work(ops) starts on CUDA, which are not run, without known ones."""
    from fastdigits.ops.cuda import device, launch

    monkeypatch.setitem(sys.modules, "cupy", numpy)
    monkeypatch.setattr(device, "stream", lambda: None)
    device.arrays.cache_clear()
    with_winograd = (*devices.FAMILIES, "variants.winograd")
    both = [
        devices.LoadedOps("cuda", launch.LANES, devices._functions("cuda", families), prefers_micro_batches=False)
        for families in (devices.FAMILIES, with_winograd)
    ]

    def new_kernels(work):
        started = set()
        monkeypatch.setattr(launch, "start", lambda kernel, grid, a: started.add((kernel, launch.kinds(a))))
        for ops in both:
            work(ops)
        new = started - compiled
        compiled.update(new)
        return new

    yield new_kernels
    device.arrays.cache_clear()


@pytest.mark.parametrize("model", MODELS)
def test_kernels_of_a_network_compile(model, new_kernels, assert_lean):
    def train_and_infer(ops):
        config = TrainConfig(**SETTINGS)
        network = network_of(model)
        batches = build_for_training(network, IMAGES, IMAGES[:, 0, 0], ROWS, ops, config)
        precompile.run_each_kernel_once(network, batches, config)
        network = network_of(model)
        network.build(ops, 256, training=False)
        x, _, _ = next(Batches(ops, IMAGES, None, 256, batches.normalisation).over(ops.upload(ROWS)))
        network.forward(x)

    assert_lean(new_kernels(train_and_infer))


@pytest.mark.parametrize("convolution", STRIDED, ids=lambda case: f"{case[4][0]} x {case[4][1]}, stride {case[5]}")
def test_kernels_of_strided_convolutions_compile(convolution, new_kernels, assert_lean):
    def run(ops):
        for call in cases._conv2d(ops.lanes, *convolution):
            getattr(ops, call.op)(**call.arguments)

    assert_lean(new_kernels(run))
