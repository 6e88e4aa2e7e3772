"""The processor, and how numba uses it."""

import importlib
import os
import platform
import sys

from fastdigits.ops.runtime import numba_setup
from fastdigits.ops.runtime.diagnosis import Part, first_line

SIMD = ("sse", "ssse", "avx", "fma", "f16c", "amx", "neon", "asimd", "sve", "fullfp16", "altivec", "vsx")
OPENMP = {
    "linux": "sudo apt install libgomp1, or: sudo dnf install libgomp",
    "darwin": "brew install libomp",
}


def processor() -> list[Part]:
    """Its kind, as the compiler knows it."""
    from llvmlite import binding

    return [Part("processor", f"{platform.machine()}, {binding.get_host_cpu_name()}")]


def cores() -> list[Part]:
    """Those that the kernels run on."""
    used, there = numba_setup.cores(), os.cpu_count() or 1
    return [Part("cores", str(used) if used == there else f"{used} of {there}")]


def vector_unit() -> list[Part]:
    """The vector unit that the kernels are compiled for."""
    from fastdigits.ops.lanes.vector_unit import LANES, REGISTERS, cpu_features

    features = " ".join(sorted(name for name in cpu_features() if name.startswith(SIMD)))
    return [
        Part("vector unit", f"{LANES} lanes of float32, {REGISTERS} registers"),
        Part("features", features or "none for vectors"),
    ]


def threading_layer() -> list[Part]:
    """What runs parallel loops."""
    importlib.import_module("numba")  # else it would look as if OpenMP were missing
    layer = numba_setup.threading_layer()
    if layer != "workqueue":
        return [Part("threading layer", layer)]
    problem = f"OpenMP cannot be used ({_why_no_openmp()}), and numba's own layer starts parallel loops more slowly"
    return [Part("threading layer", layer, problem, OPENMP.get(sys.platform, "pip install --force-reinstall numba"))]


def _why_no_openmp() -> str:
    try:
        importlib.import_module("numba.np.ufunc.omppool")
    except ImportError as error:
        return first_line(error)
    return "it is found now"


def settings() -> list[Part]:
    """What the environment asks of numba, where that slows it down or changes what it compiles."""
    found = []
    for name in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_NUM_THREADS", "NUMBA_THREADING_LAYER"):
        if name in os.environ:
            found.append(Part(name, os.environ[name]))
    for name in ("NUMBA_DISABLE_JIT", "NUMBA_ENABLE_CUDASIM"):
        if os.environ.get(name, "0") not in ("", "0"):
            found.append(Part(name, os.environ[name], f"{name} is set, so kernels are not compiled", f"unset {name}"))
    return found
