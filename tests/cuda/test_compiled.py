"""Every kernel compiled for GPUs of two generations, without one: nothing spilled, few registers, no float64."""

import re
import shutil
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

CAPABILITIES = ((7, 5), (9, 0))
MOST_REGISTERS = 128  # with as many, a processor's 65,536 hold 16 warps
FLOAT64 = {
    "_accumulate": "the loss of an epoch is the sum of a hundred thousand numbers, in a single warp",
}  # the kernels that compute with it, and why

FAMILY_OF = {name: family for family in FAMILIES for name in import_module(f"fastdigits.ops.{family}").OPS}


@pytest.fixture(scope="module")
def kernels(needs_numba_cuda):
    """The kernels that each operation starts, and what they are compiled for: {op: {(kernel, kinds)}}."""
    from fastdigits.ops import launch

    started = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cupy", numpy)  # nothing is computed
        for call in cases.calls(launch.LANES, few=True):
            found = started.setdefault(call.op, set())
            patch.setattr(launch, "start", lambda kernel, grid, a, to=found: to.add((kernel, launch.kinds(a))))
            module = import_module(f"fastdigits.ops.{FAMILY_OF[call.op]}.cuda")
            if call.op not in ("pack", "unpack"):  # which move the images by CuPy's own kernels
                getattr(module, call.op)(*call.arguments.values())
        found = started.setdefault("write", set())
        numbers = (numpy.zeros(1, numpy.int64), 1), (numpy.zeros(1, numpy.float32), 0.5)
        patch.setattr(launch, "start", lambda kernel, grid, a: found.add((kernel, launch.kinds(a))))
        import_module("fastdigits.ops.array.cuda").write(numbers)
    return started


@pytest.fixture(scope="module")
def assemble(tmp_path_factory):
    """assemble(ptx, capability) is what NVIDIA's assembler tells of a kernel."""
    folder = tmp_path_factory.mktemp("ptx")
    beside = Path(sys.prefix).glob("lib/python*/site-packages/nvidia/cuda_nvcc/bin/ptxas")
    ptxas = next(beside, None) or shutil.which("ptxas")

    def run(text: str, capability: tuple[int, int]) -> str:
        file = folder / "kernel.ptx"
        file.write_text(text)
        command = [ptxas, "-v", "-arch=sm_{}{}".format(*capability), file, "-o", folder / "kernel.cubin"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stderr

    return run


@pytest.mark.parametrize("op", FAMILY_OF)
def test_compiles(kernels, assemble, monkeypatch, op):
    from numba.cuda import dispatcher

    from fastdigits.ops import launch, ptx

    for kernel, kinds in kernels.get(op, ()):
        types = tuple(launch.lanes.kernel_type(*kind) for kind in kinds)
        for capability in CAPABILITIES:
            device = SimpleNamespace(compute_capability=capability)
            monkeypatch.setattr(dispatcher, "get_current_device", lambda device=device: device)
            text = ptx.compile_kernel(kernel.function, types, prod(kernel.block), capability)
            said = assemble(text, capability)
            assert "0 bytes spill stores" in said, said
            assert int(re.search(r"Used (\d+) registers", said)[1]) <= MOST_REGISTERS, said
            assert ".local" not in text, "a tile lies in memory and not in registers"
            assert (".f64" in text) == (kernel.__name__ in FLOAT64)
