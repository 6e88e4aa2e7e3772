"""What the tests of CUDA need: numba-cuda, and for the compiled kernels NVIDIA's assembler."""

import os
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

if not os.environ.get("NUMBA_ENABLE_CUDASIM"):
    collect_ignore = ["simulated"]


@pytest.fixture(scope="session")
def needs_numba_cuda():
    """Skips where numba-cuda is missing, and fails where FASTDIGITS_TEST_CUDA=1 promises that it is there."""
    if not find_spec("numba_cuda"):
        reason = "numba-cuda is missing; pip install 'fastdigits[test]' brings it on Linux with an x86-64 CPU"
        (pytest.fail if os.environ.get("FASTDIGITS_TEST_CUDA") == "1" else pytest.skip)(reason)


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
def demands():
    """What demands.py has."""
    return _module(Path(__file__).with_name("demands.py"))
