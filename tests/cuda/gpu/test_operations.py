"""Every operation on a real GPU, at realistic sizes."""

import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from fastdigits.ops import FAMILIES, load

pytestmark = pytest.mark.gpu

TESTS = Path(__file__).parents[2]
NOT_CALLED = {"empty", "zeros", "upload", "download", "captured"}
OPERATIONS = [name for f in FAMILIES for name in import_module(f"fastdigits.ops.{f}").OPS if name not in NOT_CALLED]


@pytest.mark.parametrize("op", OPERATIONS)
def test_agrees_with_definition_and_with_itself(gpu, calls_of, checks, op):
    function, definition = getattr(gpu, op), getattr(load("reference"), op)
    assert calls_of[op]
    for call in calls_of[op]:
        checks.check(function, definition, call, gpu)
        results = [checks.run(function, call, ops=gpu) for _ in range(2)]
        for name in call.outputs:
            assert results[0][name].tobytes() == results[1][name].tobytes(), f"{call}: {name} differs from run to run"


@pytest.mark.parametrize("tool", ["memcheck", "racecheck", "synccheck"])
def test_sanitizer_finds_nothing(gpu, tool):
    sanitizer = shutil.which("compute-sanitizer")
    if not sanitizer:
        pytest.skip("compute-sanitizer, which comes with NVIDIA's toolkit, is not on PATH")
    script = [sys.executable, str(TESTS / "helpers" / "parity_check.py"), "cuda"]
    done = subprocess.run(
        [sanitizer, "--tool", tool, "--error-exitcode", "9", *script],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=850,
    )
    assert done.returncode == 0, done.stdout
