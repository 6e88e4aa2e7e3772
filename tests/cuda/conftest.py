"""Fixtures of the CUDA tests: numba-cuda, and the assembler of NVIDIA for compiled kernels."""

import os
import re
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from math import prod
from pathlib import Path
from types import SimpleNamespace

import checks as checks_module
import numpy as np
import pytest

CAPABILITIES = ((7, 5), (9, 0))
MAX_REGISTERS = 128  # then the 65,536 of a multiprocessor hold 16 warps
FLOAT64 = {
    "_accumulate": "the loss of a data set sums ten thousand numbers and more",
    "accumulate_metrics": "the metrics of an epoch sum as many",
}  # kernels that use it, and why

if not os.environ.get("NUMBA_ENABLE_CUDASIM"):
    collect_ignore = ["simulated"]


@pytest.fixture(scope="module")
def digits():
    """Seven random images of 6 x 6 pixels."""
    images = np.random.default_rng(0).integers(0, 256, (7, 6, 6), np.uint8)
    return images, np.arange(7, dtype=np.uint8) % 3


@pytest.fixture(scope="session")
def needs_numba_cuda():
    """Skip the test without numba-cuda."""
    if not find_spec("numba_cuda"):
        _missing("numba-cuda")


@pytest.fixture(scope="session")
def ptxas(needs_numba_cuda):
    """The path of NVIDIA's assembler; skip the test without it."""
    found = [*Path(sys.prefix).glob("lib/python*/site-packages/nvidia/cu*/bin/ptxas")]  # of CUDA 12, or 13
    return found[0] if found else _missing("ptxas")


@pytest.fixture(scope="session")
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


@pytest.fixture
def assert_lean(assemble, monkeypatch):
    """assert_lean(kernels) compiles (kernel, kinds of its arguments): no spills, few registers, no float64."""
    from numba.cuda import dispatcher

    from fastdigits.ops.cuda import device, launch, ptx

    ptx_version = re.search(r"\.version \S+", ptx.nvvm_release())[0]

    def assert_lean(kernels):
        for kernel, kinds in kernels:
            types = tuple(launch.lanes.kernel_type(*kind) for kind in kinds)
            for capability in CAPABILITIES:
                pretended = SimpleNamespace(compute_capability=capability)
                monkeypatch.setattr(dispatcher, "get_current_device", lambda pretended=pretended: pretended)
                text = ptx.cached(kernel.function, types, prod(kernel.block), capability).read_text()
                said = assemble(text, capability)
                assert "0 bytes spill stores" in said, (kernel, kinds, said)
                assert int(re.search(r"Used (\d+) registers", said)[1]) <= MAX_REGISTERS, (kernel, kinds, said)
                assert kernel.__name__ in device.name_in(text)
                assert ".local" not in text, "a tile is in memory instead of registers"
                assert (".f64" in text) == (kernel.__name__ in FLOAT64)
                assert ptx_version in text

    return assert_lean


@pytest.fixture(scope="session")
def interpreted(needs_numba_cuda):
    """A context within which the device cuda is the interpreter of PTX."""
    return import_module("ptx.gpu").interpreted


@pytest.fixture(scope="module")
def gpu(interpreted):
    """The interpreter of PTX in the place of a GPU."""
    with interpreted() as found:
        yield found


@pytest.fixture(scope="session")
def checks():
    """The module helpers/checks.py."""
    return checks_module


@pytest.fixture(scope="session")
def recording():
    """The module helpers/recording.py, which needs no GPU."""
    return import_module("recording")


@pytest.fixture(scope="session")
def assertions():
    """The module helpers/cuda_assertions.py."""
    return import_module("cuda_assertions")


def _missing(what: str) -> None:
    """Skip the test, or fail if FASTDIGITS_TEST_CUDA=1 says that nothing may be missing."""
    reason = f"{what} is missing; on Linux with an x86-64 CPU, pip install 'fastdigits[test]' installs it"
    (pytest.fail if os.environ.get("FASTDIGITS_TEST_CUDA") == "1" else pytest.skip)(reason)
