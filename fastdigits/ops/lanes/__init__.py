"""What a kernel may do with its lanes, in plain Python: a vector is a NumPy array of L float32.

Kernels import these names, so they run, and can be stepped through, as ordinary Python.
`bind` gives the same code other meanings: SIMD vectors (cpu.py) or CUDA threads. Vectors also
take the operators + - * / and the comparisons > >= ==, which give a mask for `select`.
"""

from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import cast

import numpy as np


def tile(*shape):
    """An array of vectors that live in registers; its one to three sizes are constants."""
    return np.empty(shape, object)


def load(x, at):
    """The vector x[at, :] as float32; x may hold float32, int32 or uint8."""
    return x[at].astype(np.float32)


def load_inside(x, at, size):
    """x[at, :] if the last index of `at` is inside 0 .. size, else zeros, and then x is not read."""
    return x[at].astype(np.float32) if 0 <= at[-1] < size else np.zeros(x.shape[-1], np.float32)


def prefetch(x, at):
    """Bring the vector x[at, :] into the cache while something else is computed; x is not read, and may end before."""


def broadcast(x, at):
    """The single number x[at] in all lanes."""
    return x[at]


def broadcast_row(x, at, t, n):
    """t[n, m] = the single number x[.., k + m] in all lanes, from at = (.., k) on, for each column of a tile.

    k is a multiple of four, and x[0] starts at a multiple of 16 bytes: so a GPU may read four numbers at a time.
    """
    *row, k = at
    for m in range(t.shape[1]):
        t[n, m] = x[(*row, k + m)]


def splat(s):
    """One scalar for all lanes."""
    return np.float32(s)


def load_row(x, at, size, lanes):
    """The vector x[..., k : k + lanes] from at = (..., k) on, along the last axis; zeros from index `size` on."""
    *row, k = at
    v = np.zeros(lanes, np.float32)
    part = x[tuple(row)][k : max(k, min(k + lanes, size))]
    v[: len(part)] = part
    return v


def load_span(x, at, lanes):
    """The vector x[..., k : k + lanes] from at = (..., k) on, along the last axis, which goes on so far."""
    *row, k = at
    return x[tuple(row)][k : k + lanes].copy()


def gather(x, rows, first, last, column, lanes):
    """Lane l holds x[rows[min(first + l, last)], column] as float32.

    This is how images that lie one after the other come to lie side by side.
    """
    return x[rows[np.minimum(first + np.arange(lanes), last)], column].astype(np.float32)


def any_bit(x, at, bits):
    """A mask: which of the whole numbers x[at, :] have any of the bits."""
    return (x[at] & bits) != 0


def lookup(x, places, first):
    """Lane l holds x[first + places[l]] of a float32 (n,); the places are whole numbers and lie inside."""
    return x[first + places.astype(int)]


def lane_numbers(lanes):
    """0, 1, .. lanes - 1."""
    return np.arange(lanes, dtype=np.float32)


def store(y, at, v):
    """y[at, :] = v; y may hold float32, or uint8 for whole numbers 0 .. 255."""
    y[at] = v


def store_row(y, at, size, v):
    """y[..., k : k + lanes] = v from at = (..., k) on, along the last axis, but nothing from index `size` on."""
    *row, k = at
    part = y[tuple(row)][k : max(k, min(k + len(v), size))]
    part[...] = v[: len(part)]


def store_span(y, at, v):
    """y[..., k : k + lanes] = v from at = (..., k) on, along the last axis, which goes on so far."""
    *row, k = at
    y[tuple(row)][k : k + len(v)] = v


def put(y, at, s):
    """y[at] = s for one scalar, written once."""
    y[at] = s


def fma(a, b, c):
    """a * b + c."""
    return a * b + c


def maximum(a, b):
    """The larger of a and b in each lane."""
    return np.where(a > b, a, b)


def select(mask, a, b):
    """a in the lanes where the mask is true, else b."""
    return np.where(mask, a, b)


def sqrt(v):
    """The square root of each lane."""
    return np.sqrt(v)


def nearest(v):
    """Each lane rounded to the nearest integer, halves to even."""
    return np.rint(v)


def floor(v):
    """The largest integer of each lane that is not above it."""
    return np.floor(v)


def power_of_two(n):
    """2**n for integral n between -126 and 127."""
    return np.exp2(n.astype(np.float64)).astype(np.float32)


def exponent(v):
    """The integral e with v = mantissa(v) * 2**e, for positive normal v."""
    return np.frexp(v)[1].astype(np.float32)


def mantissa(v):
    """The m in [0.5, 1) with v = m * 2**exponent(v), for positive normal v."""
    return np.frexp(v)[0]


def evens(a, b):
    """The lanes 0, 2, 4, .. of a, then those of b."""
    return np.concatenate([a, b])[::2]


def odds(a, b):
    """The lanes 1, 3, 5, .. of a, then those of b."""
    return np.concatenate([a, b])[1::2]


def sum_lanes(v):
    """The sum over all lanes, a scalar."""
    return np.sum(v)


def put_sums(y, at, t):
    """y[.., i + n, k + m] = the sum over all lanes of t[n, m], a scalar, from at = (.., i, k) on, where it is in y."""
    *outer, i, k = at
    rows = y[tuple(outer)][i : i + t.shape[0]]
    for n in range(len(rows)):
        part = rows[n, k : k + t.shape[1]]
        part[...] = [np.sum(t[n, m]) for m in range(len(part))]


def transpose(t):
    """The L vectors of a tile (L) become the columns of the square that they were the rows of."""
    columns = np.stack(list(t)).T
    for k in range(len(t)):
        t[k] = columns[k].copy()


NAMES = tuple(name for name, value in globals().items() if isinstance(value, FunctionType))


def bind(kernel: Callable, lanes: ModuleType, inline: bool = False) -> Callable:
    """The same kernel with the lane functions of another module, compiled by that module's `compile_kernel`.

    The functions that it calls are bound along with it, and inlined: they may be handed tiles.
    """
    return lanes.compile_kernel(with_lanes(cast(FunctionType, kernel), lanes), inline)


def with_lanes(kernel: FunctionType, lanes: ModuleType) -> FunctionType:
    """The same function with the lane functions of another module, and bound functions for those that it calls."""
    used, meanings = kernel.__code__.co_names, {}
    for name in used:
        value = kernel.__globals__.get(name)
        if name in NAMES:
            meanings[name] = getattr(lanes, name)
        elif isinstance(value, FunctionType):
            meanings[name] = bind(value, lanes, inline=True)
    names = {**kernel.__globals__, **meanings}
    return FunctionType(kernel.__code__, names, kernel.__name__, None, kernel.__closure__)
