"""What the tests of CUDA need: numba-cuda, and for the compiled kernels NVIDIA's assembler."""

import os
from importlib.util import find_spec

import pytest

if not os.environ.get("NUMBA_ENABLE_CUDASIM"):
    collect_ignore = ["simulated"]


@pytest.fixture(scope="session")
def needs_numba_cuda():
    """Skips where numba-cuda is missing, and fails where FASTDIGITS_TEST_CUDA=1 promises that it is there."""
    if not find_spec("numba_cuda"):
        reason = "numba-cuda is missing; pip install 'fastdigits[test]' brings it on Linux with an x86-64 CPU"
        (pytest.fail if os.environ.get("FASTDIGITS_TEST_CUDA") == "1" else pytest.skip)(reason)
