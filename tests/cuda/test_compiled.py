"""Compile every kernel for two GPU generations, without a GPU: no spills, few registers, no float64."""

import sys
from importlib import import_module
from pathlib import Path

import numpy
import pytest
import winograd_calls

from fastdigits.check import cases
from fastdigits.ops import FAMILIES

pytestmark = pytest.mark.slow

FAMILY_OF = {name: family for family in FAMILIES for name in import_module(f"fastdigits.ops.{family}").OPS}


@pytest.fixture(scope="module")
def kernels(needs_numba_cuda):
    """The kernels that each operation is the first to start: {op: {(kernel, kinds of its arguments)}}."""
    from fastdigits.ops.cuda import device, launch

    started, all_started = {name: set() for name in FAMILY_OF}, set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cupy", numpy)  # nothing runs
        patch.setattr(device, "stream", lambda: None)
        patch.setattr(cases, "DENSE", ((33, 260, 258),))  # large enough for the largest tiles
        for call in cases.calls(launch.LANES, few=True):

            def start(kernel, grid, arguments, op=call.op):
                if (kernel, launch.kinds(arguments)) not in all_started:
                    started[op].add((kernel, launch.kinds(arguments)))
                    all_started.add((kernel, launch.kinds(arguments)))

            patch.setattr(launch, "start", start)
            module = import_module(f"fastdigits.ops.{FAMILY_OF[call.op]}.cuda")
            if call.op not in ("pack", "unpack", "random_permutation"):  # these only copy
                getattr(module, call.op)(*call.arguments.values())
    return started


@pytest.mark.parametrize("op", FAMILY_OF)
def test_compiles(kernels, assert_lean, op):
    assert_lean(kernels[op])


@pytest.mark.long
def test_kernels_of_winograds_method_compile(needs_numba_cuda, assert_lean, monkeypatch):
    from fastdigits.ops.cuda import device, launch
    from fastdigits.ops.variants.winograd import cuda

    started = set()
    monkeypatch.setitem(sys.modules, "cupy", numpy)  # nothing runs
    monkeypatch.setattr(device, "stream", lambda: None)
    monkeypatch.setattr(cuda, "pays", lambda *sizes: True)
    monkeypatch.setattr(launch, "start", lambda kernel, grid, a: started.add((kernel, launch.kinds(a))))
    for call in winograd_calls.calls(launch.LANES):
        getattr(cuda, call.op)(*call.arguments.values())
    own = {(kernel, kinds) for kernel, kinds in started if kernel.__module__ == cuda.__name__}
    names = {kernel.__name__ for kernel, _ in own}
    assert names == {"transform_kernels", "winograd_forward", "winograd_backward_input"}
    assert_lean(own)


def test_peak_kernels_compile(needs_numba_cuda, assert_lean):
    from fastdigits.ops.cuda import launch
    from fastdigits.ops.peak import cuda

    x, y = (numpy.zeros((*rows, launch.LANES), numpy.float32) for rows in ([cuda.CHAINS], [1, cuda.CHAINS]))
    started = (cuda.multiply_adds, [x, y, numpy.int32(1)]), (cuda.triad, [x, x, x])
    assert_lean({(kernel, launch.kinds(arguments)) for kernel, arguments in started})


def test_kernels_from_outside_of_the_package_compile(needs_numba_cuda, assert_lean, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "outside")
    outside = import_module("rectifiers.layers")
    from fastdigits.ops.cuda import launch
    from fastdigits.ops.custom import cuda as custom

    x = numpy.zeros((3, launch.LANES), numpy.float32)
    operations = (outside.FORWARD, 2), (outside.BACKWARD, 3), (outside.GELU_BACKWARD, 3)
    started = {(custom.compile_operation(one.kernel), launch.kinds([x] * count)) for one, count in operations}
    assert_lean(started)


def test_every_operation_starts_kernels(kernels):
    """Only these operations start no kernel, or only kernels that another operation started first."""
    own = {"empty", "zeros", "upload", "download", "pack", "unpack", "captured", "random_permutation"}
    of_others = {"conv2d_backward"} | {
        f"conv2d_relu_{pool}_{part}" for pool in ("maxpool", "avgpool") for part in ("backward", "backward_weight")
    }
    assert {op for op in kernels if not kernels[op]} <= own | of_others
