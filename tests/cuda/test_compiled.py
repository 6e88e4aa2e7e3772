"""Compile every kernel for two GPU generations, without a GPU: no spills, few registers, no float64."""

import re
import subprocess
import sys
from importlib import import_module
from math import prod
from pathlib import Path
from types import SimpleNamespace

import numpy
import pytest

from fastdigits.check import cases
from fastdigits.ops import FAMILIES

pytestmark = pytest.mark.slow

CAPABILITIES = ((7, 5), (9, 0))
MAX_REGISTERS = 128  # then the 65,536 of a multiprocessor hold 16 warps
FLOAT64 = {
    "_accumulate": "the loss of a data set sums ten thousand numbers and more",
    "accumulate_metrics": "the metrics of an epoch sum as many",
}  # kernels that use it, and why

NUMBERS = (numpy.zeros(1, numpy.int64), 1), (numpy.zeros(1, numpy.float32), 0.5)  # as written in each step
FAMILY_OF = {name: family for family in FAMILIES for name in import_module(f"fastdigits.ops.{family}").OPS}


@pytest.fixture(scope="module")
def kernels(needs_numba_cuda):
    """The kernels that each operation is the first to start: {op: {(kernel, kinds of its arguments)}}."""
    from fastdigits.ops.cuda import launch

    started, all_started = {name: set() for name in FAMILY_OF}, set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cupy", numpy)  # nothing runs
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
        patch.setattr(launch, "start", lambda kernel, grid, a: started["write"].add((kernel, launch.kinds(a))))
        import_module("fastdigits.ops.array.cuda").write(NUMBERS)
    return started


@pytest.fixture(scope="module")
def assemble(ptxas, tmp_path_factory):
    """assemble(ptx, capability) returns the messages of NVIDIA's assembler."""
    folder = tmp_path_factory.mktemp("ptx")

    def run(text: str, capability: tuple[int, int]) -> str:
        file = folder / "kernel.ptx"
        file.write_text(text)
        command = [ptxas, "-v", "-arch=sm_{}{}".format(*capability), file, "-o", folder / "kernel.cubin"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stderr

    return run


@pytest.mark.parametrize("op", FAMILY_OF)
def test_compiles(kernels, assemble, monkeypatch, op):
    _assert_lean(kernels[op], assemble, monkeypatch)


def test_peak_kernels_compile(needs_numba_cuda, assemble, monkeypatch):
    from fastdigits.ops.cuda import launch
    from fastdigits.ops.peak import cuda

    x, y = (numpy.zeros((*rows, launch.LANES), numpy.float32) for rows in ([cuda.CHAINS], [1, cuda.CHAINS]))
    started = (cuda.multiply_adds, [x, y, numpy.int32(1)]), (cuda.triad, [x, x, x])
    _assert_lean({(kernel, launch.kinds(arguments)) for kernel, arguments in started}, assemble, monkeypatch)


def test_kernels_from_outside_of_the_package_compile(needs_numba_cuda, assemble, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "outside")
    outside = import_module("rectifiers.layers")
    from fastdigits.ops.cuda import launch
    from fastdigits.ops.custom import cuda as custom

    x = numpy.zeros((3, launch.LANES), numpy.float32)
    operations = (outside.FORWARD, 2), (outside.BACKWARD, 3), (outside.GELU_BACKWARD, 3)
    started = {(custom.compile_operation(one.kernel), launch.kinds([x] * count)) for one, count in operations}
    _assert_lean(started, assemble, monkeypatch)


def _assert_lean(kernels, assemble, monkeypatch):
    from numba.cuda import dispatcher

    from fastdigits.ops.cuda import device, launch, ptx

    for kernel, kinds in kernels:
        types = tuple(launch.lanes.kernel_type(*kind) for kind in kinds)
        for capability in CAPABILITIES:
            pretended = SimpleNamespace(compute_capability=capability)
            monkeypatch.setattr(dispatcher, "get_current_device", lambda pretended=pretended: pretended)
            # From the kernel cache, which other tests and processes share
            text = ptx.cached(kernel.function, types, prod(kernel.block), capability).read_text()
            said = assemble(text, capability)
            assert "0 bytes spill stores" in said, said
            assert int(re.search(r"Used (\d+) registers", said)[1]) <= MAX_REGISTERS, said
            assert kernel.__name__ in device.name_in(text)
            assert ".local" not in text, "a tile is in memory instead of registers"
            assert (".f64" in text) == (kernel.__name__ in FLOAT64)


def test_every_operation_starts_kernels(kernels):
    """Only these operations start no kernel, or only kernels that another operation started first."""
    own = {"empty", "zeros", "upload", "download", "pack", "unpack", "captured", "random_permutation"}
    of_others = {"conv2d_backward"} | {
        f"conv2d_relu_{pool}_{part}" for pool in ("maxpool", "avgpool") for part in ("backward", "backward_weight")
    }
    assert {op for op in kernels if not kernels[op]} <= own | of_others
