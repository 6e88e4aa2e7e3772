"""A trial kernel in a process of its own, which may crash, and what its errors mean."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from fastdigits.ops.cuda.driver import DOWNLOAD
from fastdigits.ops.runtime.diagnosis import Part

LIMIT_S = 300  # compiling takes a few seconds; a sick driver may never answer
ROOT = Path(__file__).parents[2]  # that `fastdigits` is imported from
PROGRAM = "import sys; from fastdigits import ops; ops.run_test_kernel(sys.argv[1])"

ANEW = "pip install --force-reinstall numba llvmlite numpy"

# What the user can do about errors that contain these words
REMEDIES = {
    "Numba needs NumPy": "pip install --upgrade numba numpy",
    "No module named 'numba'": "pip install numba",
    "No module named 'llvmlite'": "pip install --force-reinstall numba llvmlite",
    "libllvmlite": "pip install --force-reinstall numba llvmlite",
    "row_stack": "pip install 'numpy<2.5'",
    "UNSUPPORTED_PTX_VERSION": f"install a newer driver: {DOWNLOAD}",
    "OUT_OF_MEMORY": "end other programs on the GPU; 'nvidia-smi' lists them",
    "OutOfMemoryError": "end other programs on the GPU; 'nvidia-smi' lists them",
    "No space left on device": "free some space",
}


def remedy(problem: str) -> str | None:
    """The command that mends what an error tells of, where it is known."""
    return next((command for words, command in REMEDIES.items() if words in problem), None)


def part(device: str) -> Part:
    """Whether a small kernel computes the right numbers on a device."""
    problem = _run(device)
    if not problem:
        return Part(device, "works")
    return Part(device, "fails", problem, remedy(problem) or (ANEW if device == "cpu" else None))


def _run(device: str) -> str | None:
    """Why the kernel fails, or None if it does not."""
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
        return f"a trial kernel on {device} gives no answer in {LIMIT_S} s"
    except OSError as error:
        return f"no trial kernel can be started ({error})"
    if done.returncode == 0:
        return None
    if done.returncode < 0:
        return f"a trial kernel on {device} crashes ({signal.strsignal(-done.returncode)})"
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return f"a trial kernel on {device} fails ({lines[-1] if lines else f'exit code {done.returncode}'})"
