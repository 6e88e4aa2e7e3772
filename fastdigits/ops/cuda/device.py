"""The memory, the stream and the kernels of the GPU, through CuPy.

Numba's simulator uses NumPy arrays instead, and has no streams.
"""

import re
import threading
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

from numba import config

from fastdigits.ops.interface import Array

_config: Any = config  # Numba sets its attributes at run time
SIMULATED = bool(_config.ENABLE_CUDASIM)


@cache
def arrays() -> ModuleType:
    """Return the module whose arrays are in the memory of the device: CuPy, or NumPy for the simulator."""
    if SIMULATED:
        import numpy

        return numpy
    import cupy

    return cupy


def stream() -> Any:
    """Return the CuPy stream that all kernels run on, and make it the current stream of this thread.

    So the operations of CuPy run on it too, in order with the kernels. It does not wait for the default stream, because
    no graph could be recorded while another library uses that.
    """
    return _only_stream().use()


@cache
def _only_stream() -> Any:
    return arrays().cuda.Stream(non_blocking=True)


_LOCAL = threading.local()  # another thread may launch an operation between two kernels of one operation


def scratch(numbers: int) -> Array:
    """Return a float32 array for intermediate results of one operation, which the next one of this thread overwrites.

    A request for more memory allocates a new array, and keeps the old one, because a recorded graph may use it.
    """
    kept: list[Any] = _LOCAL.__dict__.setdefault("scratch", [])
    if not kept or kept[-1].size < numbers:
        kept.append(on_stream().empty(numbers, "float32"))
    return kept[-1][:numbers]


def on_stream() -> ModuleType:
    """Return the module of `arrays`, whose operations by this thread run on the stream."""
    if not SIMULATED:
        stream()
    return arrays()


def capability() -> tuple[int, int]:
    """Return the device's compute capability, such as (9, 0)."""
    major, minor = divmod(int(arrays().cuda.Device().compute_capability), 10)
    return major, minor


def program(text: str) -> Callable:
    """Load the kernel of a PTX file's text. Call it with (grid, block, arguments, bytes of shared memory, stream)."""
    module = arrays().cuda.Module()
    module.load(text.encode())
    return module.get_function(name_in(text))


def name_in(text: str) -> str:
    """Return the name of the kernel in a PTX file's text."""
    [name] = re.findall(r"\.entry (\w+)\(", text)
    return name
