"""The memory, the stream and the kernels of the GPU, through CuPy.

Numba's simulator uses NumPy arrays instead, and has no streams.
"""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

from numba import config

from fastdigits.ops.interface import Array
from fastdigits.ops.runtime import pool

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
    """Return the CuPy stream that kernels run on, except some of a graph, and make it this thread's current stream.

    So the operations of CuPy run on it too, in order with the kernels. It does not wait for the default stream, because
    no graph could be recorded while another library uses that.
    """
    return _only_stream().use()


@cache
def _only_stream() -> Any:
    return arrays().cuda.Stream(non_blocking=True)


@cache
def side_stream() -> Any:
    """Return the second stream of a recorded step; see `concurrently`."""
    return arrays().cuda.Stream(non_blocking=True)


_LOCAL = threading.local()  # another thread may launch an operation between two kernels of one operation


def launch(graph: Any) -> None:
    """Launch a CUDA graph on the stream.

    Only the first launch of a thread makes it the current stream: CuPy would ask the driver for the device each time.
    """
    pool.check_gpu()
    try:
        used = _LOCAL.stream
    except AttributeError:
        used = _LOCAL.stream = stream()
    graph.launch(used)


@contextmanager
def concurrently() -> Iterator[None]:
    """Launch the kernels of the block concurrently with later ones, if a graph is recorded.

    Use it for results that are not needed soon, such as the gradients of weights. The graph waits for them where that
    is necessary; see graph.Branches. Without a graph, all kernels run one after another.
    """
    outside = is_concurrent()
    _LOCAL.concurrent = True
    try:
        yield
    finally:
        _LOCAL.concurrent = outside


def is_concurrent() -> bool:
    """Return whether this thread is within `concurrently`."""
    return getattr(_LOCAL, "concurrent", False)


def scratch(numbers: int, used: int = 0) -> Array:
    """Return a float32 array for intermediate results of one operation, which the next one of this thread overwrites.

    The operation keeps the first `used` numbers of an earlier call. Kernels within `concurrently` have scratch memory
    of their own. A request for more memory than there is allocates a new array. The old ones are kept, because a
    recorded graph may use them. The smallest one that suffices is returned, so an operation gets the same memory in
    each step.
    """
    used = 0 if is_concurrent() else used
    kept: list[Any] = _LOCAL.__dict__.setdefault("side_scratch" if is_concurrent() else "scratch", [])
    if not kept or kept[-1].size < used + numbers:
        kept.append(on_stream().empty(used + numbers, "float32"))
    return next(array for array in kept if array.size >= used + numbers)[used : used + numbers]


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
