"""How CUDA kernels are written and started: on a grid of blocks of warps, with scalars of 32 bits.

A block of threads has a few warps, and a warp LANES threads, one for each lane. numba compiles a kernel
for the shapes that its arrays have but for their first axis, and CuPy starts it.
"""

from collections.abc import Callable
from functools import update_wrapper
from inspect import signature
from math import prod
from typing import Any

import numpy as np
from numba import cuda

from fastdigits.ops.cuda import device, ptx
from fastdigits.ops.lanes import bind, with_lanes

if device.SIMULATED:
    from fastdigits.ops.lanes import simulated as lanes
else:
    from fastdigits.ops.lanes import cuda as lanes

LANES, warp_number, sum_block = lanes.LANES, lanes.warp_number, lanes.sum_block
WARPS = lanes.WARPS  # of a block whose warps have nothing to do with each other

Grid = tuple[int, ...]


class Kernel:
    """A CUDA kernel: called with its arguments, it runs on as many blocks of so many warps as `grid` makes of these.

    Its function is written with the lanes of plain Python, as a kernel.py is, and gets those of CUDA.
    """

    def __init__(self, function: Callable, grid: Callable[..., Grid], warps: int):
        update_wrapper(self, function)
        self.function, self.grid, self.block = with_lanes(function, lanes), grid, (LANES, warps)
        self.names = tuple(signature(function).parameters)
        self.programs: dict[tuple, Callable] = {}

    def __call__(self, *arguments: Any, **named: Any) -> None:
        if named:
            arguments = (*arguments, *(named.pop(name) for name in self.names[len(arguments) :]))
            if named:
                raise TypeError(f"{self.function.__name__} has no arguments {', '.join(named)}.")
        grid = self.grid(*arguments)
        if prod(grid):
            start(self, grid, [_as_32_bits(argument) for argument in arguments])


def kernel(grid: Callable[..., Grid], warps: int = WARPS) -> Callable[[Callable], Kernel]:
    """A decorator: the function is a CUDA kernel."""
    return lambda function: Kernel(function, grid, warps)


def bound(function: Callable) -> Callable:
    """A function of a kernel.py with the lanes of CUDA."""
    return bind(function, lanes)


def blocks(warps: int) -> int:
    """How many blocks hold so many warps that have nothing to do with each other."""
    return -(-warps // WARPS)


def each_vector(*arguments: Any) -> Grid:
    """The grid with a warp for each vector of the last argument."""
    return (blocks(len(arguments[-1])),)


def kinds(arguments: list[Any]) -> tuple:
    """What a kernel is compiled for: of each argument its dtype's letter and its sizes but the first, None of a number.

    (The letter, for a dtype works out its name anew, which takes longer than all else before a launch.)
    """
    return tuple([(value.dtype.char, value.shape[1:] if value.ndim else None) for value in arguments])


def _as_32_bits(value: Any) -> Any:
    """A Python number as one that a GPU computes with several times as fast as with 64 bits."""
    if isinstance(value, int):
        return np.int32(value)
    return np.float32(value) if isinstance(value, float) else value


def _start(kernel: Kernel, grid: Grid, arguments: list[Any]) -> None:
    compiled_for = kinds(arguments)
    program = kernel.programs.get(compiled_for)
    if program is None:
        types = tuple(lanes.kernel_type(*kind) for kind in compiled_for)
        path = ptx.cached(kernel.function, types, prod(kernel.block), device.capability())
        program = kernel.programs[compiled_for] = device.program(path)
    with device.stream():
        program(grid, kernel.block, tuple([part for value in arguments for part in _parts(value)]))


def _parts(value: Any) -> tuple:
    """What a program takes for an argument: for an array its address and its length."""
    return (value, np.int32(len(value))) if value.ndim else (value,)


def _simulate(kernel: Kernel, grid: Grid, arguments: list[Any]) -> None:
    from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray

    arguments = [FakeCUDAArray(value) if isinstance(value, np.ndarray) else value for value in arguments]
    cuda.jit(kernel.function)[grid, kernel.block](*arguments)


start = _simulate if device.SIMULATED else _start
