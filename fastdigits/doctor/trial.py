"""Run a test kernel in a separate process, which may crash, and explain its errors."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from fastdigits.ops.cuda.driver import DOWNLOAD
from fastdigits.ops.runtime.diagnosis import Finding

LIMIT_S = 300  # compiling takes a few seconds; a broken driver may never return
ROOT = Path(__file__).parents[2]  # the folder with the package `fastdigits`
PROGRAM = "import sys; from fastdigits import ops; ops.run_test_kernel(sys.argv[1])"

USER_ERROR = "fastdigits.errors.UserError: "
REINSTALL = "pip install --force-reinstall numba llvmlite numpy"

# Commands that fix errors whose messages contain these words
REMEDIES = {
    "Numba needs NumPy": "pip install --upgrade numba numpy",
    "No module named 'numba'": "pip install numba",
    "No module named 'llvmlite'": "pip install --force-reinstall numba llvmlite",
    "libllvmlite": "pip install --force-reinstall numba llvmlite",
    "row_stack": "pip install 'numpy<2.5'",
    "UNSUPPORTED_PTX_VERSION": f"install a newer driver: {DOWNLOAD}",
    "OUT_OF_MEMORY": "stop other programs on the GPU; 'nvidia-smi' lists them",
    "OutOfMemoryError": "stop other programs on the GPU; 'nvidia-smi' lists them",
    "No space left on device": "free some space",
    "needs TBB": "pip install tbb",
    "NUMBA_THREADING_LAYER_PRIORITY": "unset NUMBA_THREADING_LAYER_PRIORITY",
    "NUMBA_THREADING_LAYER": "unset NUMBA_THREADING_LAYER",
    "NUMBA_NUM_THREADS": "unset NUMBA_NUM_THREADS",
    "NUMBA_DISABLE_JIT": "unset NUMBA_DISABLE_JIT",
}


def remedy(problem: str) -> str | None:
    """Return the command that fixes a problem, if one is known."""
    return next((command for words, command in REMEDIES.items() if words in problem), None)


def try_device(device: str) -> Finding:
    """Run a small kernel on a device and check its result."""
    problem = _run(device)
    if not problem:
        return Finding(device, "works")
    return Finding(device, "fails", problem, remedy(problem) or (REINSTALL if device == "cpu" else None))


def _run(device: str) -> str | None:
    """Return why the test kernel fails, or None if it works."""
    paths = [*filter(None, [os.environ.get("PYTHONPATH")]), str(ROOT)]
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, device],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf8",
            errors="replace",
            timeout=LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        return f"a test kernel on {device} does not return within {LIMIT_S} s"
    except OSError as error:
        return f"no test kernel can be started ({error})"
    if done.returncode == 0:
        return None
    if done.returncode < 0:
        return f"a test kernel on {device} crashes ({signal.strsignal(-done.returncode)})"
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    reason = lines[-1].removeprefix(USER_ERROR) if lines else f"exit code {done.returncode}"
    return f"a test kernel on {device} fails ({reason})"
