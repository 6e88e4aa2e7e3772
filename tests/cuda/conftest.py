"""What the tests of CUDA need: numba-cuda, and for the compiled kernels NVIDIA's assembler."""

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
    """Without numba-cuda the test is skipped."""
    if not find_spec("numba_cuda"):
        _missing("numba-cuda")


@pytest.fixture(scope="session")
def ptxas(needs_numba_cuda):
    """NVIDIA's assembler; without it the test is skipped."""
    beside = Path(sys.prefix).glob("lib/python*/site-packages/nvidia/cuda_nvcc/bin/ptxas")
    return next(beside, None) or _missing("ptxas")


def _module(path: Path) -> ModuleType:
    """A file of the tests as a module: pytest does not put its folder on the path of imports."""
    spec = spec_from_file_location(f"cuda_{path.stem}", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def checks():
    """What tests/ops/checks.py has."""
    return _module(Path(__file__).parents[1] / "ops" / "checks.py")


@pytest.fixture(scope="session")
def recording():
    """What tests/ops/recording.py has."""
    return _module(Path(__file__).parents[1] / "ops" / "recording.py")


@pytest.fixture(scope="session")
def golden():
    """What tests/test_train.py has."""
    return _module(Path(__file__).parents[1] / "training" / "test_loop.py")


@pytest.fixture(scope="session")
def demands():
    """What demands.py has."""
    return _module(Path(__file__).with_name("demands.py"))


def _missing(what: str) -> None:
    """Skip, with the reason, or fail where FASTDIGITS_TEST_CUDA=1 promises that nothing is missing."""
    reason = f"{what} is missing, which pip install 'fastdigits[test]' brings on Linux with an x86-64 CPU"
    (pytest.fail if os.environ.get("FASTDIGITS_TEST_CUDA") == "1" else pytest.skip)(reason)
