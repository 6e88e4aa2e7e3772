"""Fixtures of the CUDA tests: numba-cuda, and the assembler of NVIDIA for compiled kernels."""

import os
import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

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


def _module(path: Path) -> ModuleType:
    """Import a file of the tests, whose folder is not on the import path."""
    spec = spec_from_file_location(f"cuda_{path.stem}", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def checks():
    """The module tests/ops/checks.py."""
    return _module(Path(__file__).parents[1] / "ops" / "checks.py")


@pytest.fixture(scope="session")
def recording():
    """The module tests/ops/recording.py."""
    return _module(Path(__file__).parents[1] / "ops" / "recording.py")


@pytest.fixture(scope="session")
def golden():
    """What tests/test_train.py has."""
    return _module(Path(__file__).parents[1] / "training" / "test_loop.py")


@pytest.fixture(scope="session")
def assertions():
    """The module assertions.py."""
    return _module(Path(__file__).with_name("assertions.py"))


def _missing(what: str) -> None:
    """Skip the test, or fail if FASTDIGITS_TEST_CUDA=1 says that nothing may be missing."""
    reason = f"{what} is missing; on Linux with an x86-64 CPU, pip install 'fastdigits[test]' installs it"
    (pytest.fail if os.environ.get("FASTDIGITS_TEST_CUDA") == "1" else pytest.skip)(reason)
