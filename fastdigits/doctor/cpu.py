"""Examine the processor and how Numba uses it."""

import importlib
import os
import platform
import sys

from fastdigits.ops.runtime import numba_setup
from fastdigits.ops.runtime.diagnosis import Finding, first_line

SIMD = ("sse", "ssse", "avx", "fma", "f16c", "amx", "neon", "asimd", "sve", "fullfp16", "altivec", "vsx")
OPENMP = {
    "linux": "sudo apt install libgomp1, or: sudo dnf install libgomp",
    "darwin": "brew install libomp",
}


def processor() -> list[Finding]:
    """Return the processor, with the name that the compiler uses."""
    from llvmlite import binding

    return [Finding("processor", f"{platform.machine()}, {binding.get_host_cpu_name()}")]


def cores() -> list[Finding]:
    """Return the number of cores that the kernels use."""
    used, present = numba_setup.cores(), os.cpu_count() or 1
    return [Finding("cores", str(used) if used == present else f"{used} of {present}")]


def vector_unit() -> list[Finding]:
    """Return the vector unit that the kernels are compiled for."""
    from fastdigits.ops.lanes.vector_unit import LANES, REGISTERS, cpu_features

    features = " ".join(sorted(name for name in cpu_features() if name.startswith(SIMD)))
    return [
        Finding("vector unit", f"{LANES} lanes of float32, {REGISTERS} registers"),
        Finding("features", features or "none for vectors"),
    ]


def threading_layer() -> list[Finding]:
    """Return the layer that runs parallel loops."""
    importlib.import_module("numba")  # an error of this import must not look like a missing OpenMP
    layer = numba_setup.threading_layer()
    if layer != "workqueue":
        return [Finding("threading layer", layer)]
    problem = f"OpenMP cannot be used ({_why_no_openmp()}), and numba's own layer starts parallel loops more slowly"
    return [Finding("threading layer", layer, problem, OPENMP.get(sys.platform, "pip install --force-reinstall numba"))]


def settings() -> list[Finding]:
    """Return the environment variables that slow Numba down or change what it compiles."""
    found = []
    for name in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_NUM_THREADS", "NUMBA_THREADING_LAYER"):
        if name in os.environ:
            found.append(Finding(name, os.environ[name]))
    for name in ("NUMBA_DISABLE_JIT", "NUMBA_ENABLE_CUDASIM"):
        if os.environ.get(name, "0") not in ("", "0"):
            found.append(
                Finding(name, os.environ[name], f"{name} is set, so kernels are not compiled", f"unset {name}")
            )
    return found


def _why_no_openmp() -> str:
    try:
        importlib.import_module("numba.np.ufunc.omppool")
    except ImportError as error:
        return first_line(error)
    return "it can be loaded now"
