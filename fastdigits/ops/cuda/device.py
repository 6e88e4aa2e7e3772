"""The GPU: its memory, its one stream and its programs, all CuPy's; or numba's simulator, whose arrays are NumPy's."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from numba import config

SIMULATED = bool(config.ENABLE_CUDASIM)


@cache
def arrays() -> ModuleType:
    """The module whose arrays lie in the device's memory."""
    if SIMULATED:
        import numpy

        return numpy
    import cupy

    return cupy


@cache
def stream() -> Any:
    """The CuPy stream that everything runs on.

    It waits for the default stream and that for it, so that CuPy's own operations come in their turn.
    """
    return arrays().cuda.Stream()


_SCRATCH: list[Any] = []


def scratch(numbers: int) -> Any:
    """A float32 array for what an operation needs until its last kernel is done; the next one gets the same memory.

    A larger one than any before leaves that alone: a recorded graph may use it.
    """
    if not _SCRATCH or _SCRATCH[-1].size < numbers:
        _SCRATCH.append(arrays().empty(numbers, "float32"))
    return _SCRATCH[-1][:numbers]


def capability() -> tuple[int, int]:
    """The device's compute capability, such as (9, 0)."""
    major, minor = divmod(int(arrays().cuda.Device().compute_capability), 10)
    return major, minor


def program(path: Path) -> Callable:
    """The kernel of a PTX file, to be called with (grid, block, arguments)."""
    return arrays().RawModule(path=str(path)).get_function(name_in(path.read_text()))


def name_in(text: str) -> str:
    """The name that the kernel has in its PTX."""
    [name] = re.findall(r"\.entry (\w+)\(", text)
    return name
