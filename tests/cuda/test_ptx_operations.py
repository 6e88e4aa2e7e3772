"""Every operation as compiled for a GPU: the interpreter runs its PTX, and the results agree with the definitions."""

from importlib import import_module

import numpy as np
import pytest
import winograd_calls

from fastdigits.check import cases
from fastdigits.ops import FAMILIES, load
from fastdigits.ops.variants import winograd

pytestmark = pytest.mark.slow

ON_THE_HOST = {"empty", "zeros", "upload", "download", "captured", "random_permutation"}
OPERATIONS = [name for family in FAMILIES for name in import_module(f"fastdigits.ops.{family}").OPS]


def _calls():
    """Yield calls of each operation, at three sizes or more. Those that differ in the first axis share a program."""
    yield from cases.calls(32, few=True)
    for vectors, images in ((5, 1), (130, 33)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cases, "VECTORS", vectors)
            yield from (*cases._activations(32), *cases._elementwise(32), *cases._optimizers(32))
            yield from (*cases._dense(32, images, 17, 3), *cases._fused_dense(32, images, 17, 3))
            patch.setattr(cases, "DRAWN", (vectors,))
            yield from cases._random_numbers()
    yield from cases._pooled_conv2d(32, *cases.POOLED_CONVOLUTIONS[4])
    yield from (*cases._losses(32, 130), *cases._random_masks(32, 130))
    yield from cases._augmented_batches(32, 25, (6, 7), cases.EFFECTS[-1])
    for outputs, inputs in ((1, 1), (130, 33)):
        yield from _fold(outputs, inputs)
    for images in (33, 130):
        yield from _sums_and_layouts(images)


def _fold(outputs, inputs):
    random, rows = np.random.default_rng(0), ("bias", "gamma", "beta", "mean")
    arguments = {name: random.uniform(-1, 1, outputs).astype(np.float32) for name in rows}
    arguments = {"weight": random.uniform(-1, 1, (outputs, inputs)).astype(np.float32), **arguments}
    arguments |= {"var": 1.5 + arguments["bias"], "epsilon": 0.125}
    filled = {"folded_weight": cases._unfilled(outputs, inputs), "folded_bias": cases._unfilled(outputs)}
    yield cases.Call("batchnorm_fold", f"{inputs} to {outputs}", arguments | filled, tuple(filled), 8)


def _sums_and_layouts(images):
    random, blocks = np.random.default_rng(0), -(-images // 32)
    packed = random.uniform(-1, 1, (blocks, 2, 3, 32)).astype(np.float32)
    unpacked = random.uniform(-1, 1, (images, 2, 3)).astype(np.float32)
    case = f"batch of {images}"
    yield cases.Call("pack", case, {"images": unpacked, "x": cases._unfilled(*packed.shape)}, ("x",), 0)
    yield cases.Call("unpack", case, {"x": packed, "images": cases._unfilled(*unpacked.shape)}, ("images",), 0)
    arguments = {"values": packed[:, 0], "total": np.array([2.5])}
    yield cases.Call("accumulate", case, arguments, ("total",), packed[:, 0].size)


CALLS = list(_calls())
BY_WINOGRAD = list(winograd_calls.calls(32))
TESTED = [op for op in reversed(OPERATIONS) if op not in ON_THE_HOST]


@pytest.fixture(scope="module")
def cuda(gpu):
    return load("cuda", exact=True)


@pytest.fixture
def by_winograd(gpu, monkeypatch):
    """The operations of the GPU, which use Winograd's method also where it is not faster."""
    monkeypatch.setattr("fastdigits.ops.variants.winograd.cuda.pays", lambda *sizes: True)
    return load("cuda")


# From the last to the first, because test_compiled.py may compile the same kernels from the first to the last
@pytest.mark.parametrize("op", TESTED)
def test_agrees_with_definition(gpu, cuda, checks, op):
    calls = [call for call in CALLS if call.op == op]
    assert calls
    for call in calls:
        gpu.launches.clear()
        checks.check(getattr(cuda, op), getattr(load("reference"), op), call, cuda)
        assert gpu.launches or op in ("pack", "unpack")  # which copy


@pytest.mark.parametrize("op", TESTED)
def test_three_sizes_are_tested(op):
    sizes = {tuple(a.shape for a in c.arguments.values() if isinstance(a, np.ndarray)) for c in CALLS if c.op == op}
    assert len(sizes) >= 3


@pytest.mark.parametrize("op", winograd.OPS)
def test_winograds_method_agrees_with_definition(gpu, by_winograd, checks, op):
    for call in (call for call in BY_WINOGRAD if call.op == op):
        gpu.launches.clear()
        checks.check(getattr(by_winograd, op), getattr(load("reference"), op), call, by_winograd)
        assert any(launch.name.startswith("winograd") for launch in gpu.launches)


@pytest.mark.parametrize("op", ["conv2d_forward", "conv2d_relu_forward"])
@pytest.mark.parametrize("special", [np.nan, np.inf])
def test_winograds_method_hides_no_special_value(by_winograd, op, special):
    """It may spread over a tile of 4 x 4 pixels of its image; every pixel whose kernel touches it is not finite."""
    C, O, H, W = 11, 13, 7, 8  # as in winograd_calls
    random = np.random.default_rng(0)
    weight, bias = random.uniform(-1, 1, (O, C, 3, 3)).astype(np.float32), np.zeros(O, np.float32)
    x = random.uniform(-1, 1, (2, C, H, W, 32)).astype(np.float32)
    x[1, 3, 2, 5, 1] = special
    y = by_winograd.empty((2, O, H, W, 32))
    getattr(by_winograd, op)(*map(by_winograd.upload, (x, weight, bias)), 1, 1, 1, y)
    found = by_winograd.download(y)
    assert not np.isfinite(found[1, :, 1:4, 4:7, 1]).any()
    assert np.isfinite(np.delete(found[1], 1, -1)).all()  # other images
    assert np.isfinite(found[0]).all()


def test_winograds_method_is_used_where_it_pays(needs_numba_cuda):
    from fastdigits.ops.variants.winograd import cuda

    assert cuda.pays(4, 32, 64, 24, 24)  # torch-example, 128 images
    assert cuda.pays(4, 64, 32, 26, 26)
    assert cuda.pays(*cases.LARGE_CONVOLUTION[:3], *cases.LARGE_CONVOLUTION[3])
    assert not cuda.pays(4, 24, 32, 10, 10)  # record, whose 72 tiles leave half of a large GPU idle
    assert not cuda.pays(4, 3, 5, 24, 24)


def test_counts_add_up_for_each_kernel(gpu, cuda):
    from ptx.gpu import counts_by_kernel

    blocks, inputs, outputs = 3, 17, 3
    x, weight, bias = cuda.zeros((blocks, inputs, 32)), cuda.zeros((outputs, inputs)), cuda.zeros((outputs,))
    gpu.launches.clear()
    cuda.dense_forward(x, weight, bias, cuda.empty((blocks, outputs, 32)))
    [(name, counts)] = counts_by_kernel(gpu.launches).items()
    assert name == "dense_forward"
    assert counts["fma"] >= blocks * inputs * outputs  # each of a warp
    assert counts["global store"] == blocks * outputs
