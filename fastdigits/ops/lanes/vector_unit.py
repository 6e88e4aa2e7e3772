"""The vector unit of this CPU: its number of float32 lanes and of registers."""

import platform
from typing import Any

from llvmlite import binding
from numba import config


def cpu_features() -> set[str]:
    """Return the features of the CPU, or those that NUMBA_CPU_NAME and NUMBA_CPU_FEATURES set."""
    settings: Any = config  # Numba sets its attributes at run time
    if settings.CPU_FEATURES is not None:
        given = settings.CPU_FEATURES.split(",")
    elif settings.CPU_NAME == "generic":
        given = []
    else:
        given = binding.get_host_cpu_features().flatten().split(",")
    return {name[1:] for name in given if name.startswith("+")}


def vector_unit(features: set[str], machine: str) -> tuple[int, int]:
    """Return (float32 lanes of a vector register, number of vector registers)."""
    if "avx512f" in features:
        return 16, 32
    if "avx" in features:
        return 8, 16
    if machine.lower() in ("aarch64", "arm64"):
        return 4, 32
    return 4, 16


LANES, REGISTERS = vector_unit(cpu_features(), platform.machine())
MASKED_LOADS = LANES >= 8  # AVX has an instruction for them
