"""Define and launch CUDA kernels, on a grid of blocks of warps.

A block has a few warps, and a warp has LANES threads, one for each lane. Numba compiles a kernel for the shapes of its
arrays without the first axis, and CuPy launches it. Scalars are passed with 32 bits.
"""

import importlib
from collections.abc import Callable, Collection
from functools import update_wrapper
from inspect import signature
from math import prod
from types import FunctionType, ModuleType
from typing import Any, cast

import numpy as np
from numba import cuda

from fastdigits.ops.cuda import device, graph, ptx
from fastdigits.ops.lanes import bind, with_lanes

lanes: ModuleType = importlib.import_module(f"fastdigits.ops.lanes.{'simulated' if device.SIMULATED else 'cuda'}")
LANES, warp_number, sum_block, shared_array = lanes.LANES, lanes.warp_number, lanes.sum_block, lanes.shared_array
WARPS = lanes.WARPS  # of a block whose warps are independent

Grid = tuple[int, ...]


class Kernel:
    """A CUDA kernel. Calling it launches `grid(*arguments)` blocks of `warps` warps.

    The function is written with the lane functions of plain Python, like a kernel.py; those of CUDA replace them.
    `writes` names the arrays that it may write, by default all; so kernels that only read an array can run
    concurrently.
    """

    def __init__(
        self, function: Callable, grid: Callable[..., Grid], warps: int, writes: Collection[str] | None = None
    ):
        update_wrapper(self, function)
        self.function, self.grid, self.block = with_lanes(cast(FunctionType, function), lanes), grid, (LANES, warps)
        self.names = tuple(signature(function).parameters)
        self.written = [writes is None or name in writes for name in self.names]
        self.programs: dict[tuple, Callable] = {}

    def __call__(self, *arguments: Any, **named: Any) -> None:
        if named:
            arguments = (*arguments, *(named.pop(name) for name in self.names[len(arguments) :]))
            if named:
                raise TypeError(f"{self.function.__name__} has no arguments {', '.join(named)}.")
        grid = self.grid(*arguments)
        if prod(grid):
            start(self, grid, [_as_32_bits(argument) for argument in arguments])


def kernel(
    grid: Callable[..., Grid], warps: int = WARPS, writes: Collection[str] | None = None
) -> Callable[[Callable], Kernel]:
    """Decorate a function that is a CUDA kernel."""
    return lambda function: Kernel(function, grid, warps, writes)


def bound(function: Callable) -> Callable:
    """Return a function of a kernel.py with CUDA's lane functions."""
    return bind(function, lanes)


def blocks(warps: int) -> int:
    """Return the number of blocks that hold a number of independent warps."""
    return -(-warps // WARPS)


def each_vector(*arguments: Any) -> Grid:
    """Return the grid with one warp for each vector of the last argument."""
    return (blocks(len(arguments[-1])),)


def kinds(arguments: list[Any]) -> tuple:
    """Return what a kernel is compiled for: the dtype of each argument, and its shape without the first axis.

    The shape of a scalar is None. The dtype is given by its letter, because NumPy computes the name of a dtype at
    each access, which takes longer than everything else before a launch.
    """
    return tuple([(value.dtype.char, value.shape[1:] if value.ndim else None) for value in arguments])


def _as_32_bits(value: Any) -> Any:
    """Convert a Python number to 32 bits, with which a GPU computes several times as fast as with 64."""
    if isinstance(value, int):
        return np.int32(value)
    return np.float32(value) if isinstance(value, float) else value


def _start(kernel: Kernel, grid: Grid, arguments: list[Any]) -> None:
    compiled_for = kinds(arguments)
    program = kernel.programs.get(compiled_for)
    if program is None:
        types = tuple(lanes.kernel_type(*kind) for kind in compiled_for)
        program = kernel.programs[compiled_for] = _load(kernel.function, types, prod(kernel.block), device.capability())
    stream = graph.stream_of(arguments, kernel.written)
    program(grid, kernel.block, tuple([part for value in arguments for part in _parts(value)]), 0, stream)


def _load(*compiled: Any) -> Callable:
    """Load a kernel, compiled as ptx.cached does. If the driver refuses the file in the cache, compile it once more."""
    path = ptx.cached(*compiled)
    try:
        return device.program(path.read_text())
    except Exception:  # of CuPy or the driver; the same again if the file is not the cause
        path.unlink(missing_ok=True)
        return device.program(ptx.cached(*compiled).read_text())


def _parts(value: Any) -> tuple:
    """Return the arguments of a compiled kernel for one argument: for an array, its address and its length."""
    return (value, np.int32(len(value))) if value.ndim else (value,)


def _simulate(kernel: Kernel, grid: Grid, arguments: list[Any]) -> None:
    from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray

    arguments = [FakeCUDAArray(value) if isinstance(value, np.ndarray) else value for value in arguments]
    cuda.jit(kernel.function)[grid, kernel.block](*arguments)


start = _simulate if device.SIMULATED else _start
