"""Lane functions for Numba's CUDA simulator: a lane is a Python thread, and a vector is one np.float32 per thread.

Each function does for one thread what the function of the same name in __init__.py does for all lanes. The simulator
has no types, so cuda.py cannot run there, but the kernels and the distribution of work among warps can.
"""

from itertools import product
from threading import current_thread
from typing import Any

import numpy as np

LANES, WARPS = 4, 2  # few, because each thread is a Python thread


def compile_kernel(kernel, inline=True):
    """Return a bound kernel unchanged."""
    return kernel


def lane() -> int:
    """Return the number of this thread in its warp."""
    return _thread().threadIdx.x


def warp_number() -> int:
    """Return the number of this warp along the first axis of the grid."""
    thread = _thread()
    return thread.blockIdx.x * thread._manager._block_dim[1] + thread.threadIdx.y


def shared_array(*shape):
    """Return an array of float32 in the memory of the block."""
    thread = _thread()
    thread.arrays = getattr(thread, "arrays", 0) + 1  # that this thread has asked for, in the order of all threads
    of_block = vars(thread._manager).setdefault("arrays", {})
    return of_block.setdefault(thread.arrays, np.full(shape, np.nan, np.float32))


def _thread() -> Any:
    """Return the current thread, to which the simulator has added its position in the grid."""
    return current_thread()


def _checked(x, at):
    """Return a position, or raise IndexError if it lies outside x. As on a GPU, indices cannot be negative."""
    for i, size in zip(at, x.shape, strict=True):
        if not 0 <= i < size:
            raise IndexError(f"{at} lies outside an array of {tuple(x.shape)}")
    return at


def tile(*shape):
    return {at if len(at) > 1 else at[0]: np.float32(np.nan) for at in product(*map(range, shape))}


def load(x, at):
    return np.float32(x[_checked(x, (*at, lane()))])


def load_inside(x, at, size):
    return load(x, at) if 0 <= at[-1] < size else np.float32(0)


def broadcast(x, at):
    return x[_checked(x, at)]


def broadcast_row(x, at, t, n):
    *row, k = at
    assert k % 4 == 0
    for m in range(1 + max(m for _, m in t)):
        t[n, m] = broadcast(x, (*row, k + m))


def splat(s):
    return np.float32(s)


def load_row(x, at, size, lanes):
    k = at[-1] + lane()
    return x[_checked(x, (*at[:-1], k))] if k < size else np.float32(0)


def gather(x, rows, first, last, column, lanes):
    row = rows[_checked(rows, (min(first + lane(), last),))]
    return np.float32(x[_checked(x, (row, column))])


def any_bit(x, at, bits):
    return (x[_checked(x, (*at, lane()))] & bits) != 0


def lookup(x, places, first):
    return x[_checked(x, (int(places) + first,))]


def lane_numbers(lanes):
    return np.float32(lane())


def store(y, at, v):
    y[_checked(y, (*at, lane()))] = v


def store_row(y, at, size, v):
    k = at[-1] + lane()
    if k < size:
        y[_checked(y, (*at[:-1], k))] = v


def store_scalar(y, at, s):
    y[_checked(y, at)] = s


def fma(a, b, c):
    return np.float32(float(a) * float(b) + float(c))


def exceeds(a, b):
    return a > b or np.isnan(a)


def maximum(a, b):
    return a if exceeds(a, b) else b


def select(mask, a, b):
    return a if mask else b


sqrt, round, floor = np.sqrt, np.rint, np.floor

_exchanged: dict[tuple[int, int], list] = {}  # values by buffer and warp; the simulator runs one block at a time


def _all_lanes(v):
    """Return the values of all threads of the warp."""
    thread = current_thread()
    # Two buffers alternate: with one, a fast thread could overwrite its value before a slow one has read it
    thread.buffer = 1 - getattr(thread, "buffer", 0)
    values = _exchanged.setdefault((thread.buffer, thread.threadIdx.y), [None] * LANES)
    values[thread.threadIdx.x] = v
    thread.syncthreads()
    return values


def sum_lanes(v):
    return np.sum(_all_lanes(v), dtype=np.float32)


def store_sums(y, at, t):
    (*outer, i, k), (*_, rows, columns) = at, y.shape
    sums = np.sum(_all_lanes(list(t.values())), axis=0, dtype=np.float32)
    for number in range(lane(), len(sums), LANES):
        n, m = list(t)[number]
        if i + n < rows and k + m < columns:
            y[_checked(y, (*outer, i + n, k + m))] = sums[number]


def sum_block(v, sums, WARPS):
    """Return the sum over all threads of a block of WARPS warps; `sums` is in shared memory, a number per warp."""
    thread = current_thread()
    sums[thread.threadIdx.y] = sum_lanes(v)
    thread.syncthreads()
    return np.float32(np.sum(sums))


def power_of_two(n):
    return np.float32(0 if n == -127 else np.inf if n == 128 else np.exp2(np.float32(n)))


def exponent(v):
    return np.float32(np.frexp(v)[1])


def mantissa(v):
    return np.frexp(v)[0]
