"""Fixtures of the CUDA tests: numba-cuda, and the assembler of NVIDIA for compiled kernels."""

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import checks as checks_module
import pytest

if not os.environ.get("NUMBA_ENABLE_CUDASIM"):
    collect_ignore = ["simulated"]


@pytest.fixture(scope="session")
def needs_numba_cuda():
    """Skip the test without numba-cuda."""
    if not find_spec("numba_cuda"):
        _missing("numba-cuda")


@pytest.fixture(scope="session")
def ptxas(needs_numba_cuda):
    """The path of NVIDIA's assembler; skip the test without it."""
    found = Path(sys.prefix).glob("lib/python*/site-packages/nvidia/cuda_nvcc/bin/ptxas")
    return next(found, None) or _missing("ptxas")


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
