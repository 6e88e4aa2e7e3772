"""Run the tests of simulated/ in a separate process, because numba decides on import whether to simulate CUDA."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastdigits

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).with_name("simulated")


def test_in_the_simulator(needs_numba_cuda):
    """The simulator runs uncompiled kernels without a GPU, one Python thread for each CUDA thread."""
    package = str(Path(fastdigits.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", str(FOLDER)],
        env={**os.environ, "PYTHONPATH": package, "NUMBA_ENABLE_CUDASIM": "1"},
        cwd=FOLDER.parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=850,
    )
    assert done.returncode == 0, done.stdout
