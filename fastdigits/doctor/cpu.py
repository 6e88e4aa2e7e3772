"""Examine the processor and how Numba uses it."""

import os
import platform
import sys

from fastdigits.doctor.trial import remedy
from fastdigits.errors import UserError
from fastdigits.ops.runtime import numba_setup, pool
from fastdigits.ops.runtime.diagnosis import Finding

SIMD = ("sse", "ssse", "avx", "fma", "f16c", "amx", "neon", "asimd", "sve", "fullfp16", "altivec", "vsx")
NO_POOL = {
    "linux": "pip install tbb, or: sudo apt install libgomp1, or: sudo dnf install libgomp",
    "win32": "pip install tbb",
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
    """Return the layer that runs parallel loops, as Numba reports it."""
    pool.preload_tbb()
    try:
        layer = pool.layer()
    except UserError as error:
        return [
            Finding("threading layer", "none", f"kernels cannot run ({str(error).rstrip('.')})", remedy(str(error)))
        ]
    if layer == "workqueue" and "NUMBA_THREADING_LAYER" not in os.environ:
        problem = "neither TBB nor OpenMP can be used, and numba's own layer starts parallel loops more slowly"
        return [Finding("threading layer", layer, problem, NO_POOL.get(sys.platform, "pip install tbb"))]
    return [Finding("threading layer", layer)]


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
