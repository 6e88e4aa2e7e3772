"""The lane functions that kernels use, in plain Python: a vector is a NumPy array of L float32.

Kernels import these functions, so they run as ordinary Python and can be debugged. `bind` replaces the functions by
those for SIMD vectors (cpu.py) or CUDA threads (cuda.py). Vectors also support + - * / and the comparisons > >= ==,
which return a mask for `select`.
"""

from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import cast

import numpy as np


def tile(*shape):
    """Return an array of vectors that stay in registers. Its one to three sizes must be constants."""
    return np.empty(shape, object)


def load(x, at):
    """Return the vector x[at, :] as float32; x may be float32, int32 or uint8."""
    return x[at].astype(np.float32)


def load_inside(x, at, size):
    """Return x[at, :] if the last index of `at` is in 0 .. size - 1, else zeros without reading x."""
    return x[at].astype(np.float32) if 0 <= at[-1] < size else np.zeros(x.shape[-1], np.float32)


def broadcast(x, at):
    """Return the number x[at] in all lanes."""
    return x[at]


def broadcast_row(x, at, t, n):
    """Fill row n of a tile: t[n, m] = the number x[.., k + m] in all lanes, with at = (.., k).

    k must be a multiple of four and x[0] start at a multiple of 16 bytes, so that a GPU can load four numbers at once.
    """
    *row, k = at
    for m in range(t.shape[1]):
        t[n, m] = x[(*row, k + m)]


def splat(s):
    """Return the scalar s in all lanes."""
    return np.float32(s)


def load_row(x, at, size, lanes):
    """Return x[..., k : k + lanes] along the last axis, with at = (..., k); zeros from index `size` on."""
    *row, k = at
    v = np.zeros(lanes, np.float32)
    part = x[tuple(row)][k : max(k, min(k + lanes, size))]
    v[: len(part)] = part
    return v


def load_span(x, at, lanes):
    """Return x[..., k : k + lanes] as float32 along the last axis, with at = (..., k); all of it must lie inside."""
    *row, k = at
    return x[tuple(row)][k : k + lanes].astype(np.float32)


def gather(x, rows, first, last, column, lanes):
    """Return x[rows[min(first + l, last)], column] in lane l, as float32.

    This packs images side by side that are stored one after the other.
    """
    return x[rows[np.minimum(first + np.arange(lanes), last)], column].astype(np.float32)


def any_bit(x, at, bits):
    """Return the mask of the integers x[at, :] that have any of the bits set."""
    return (x[at] & bits) != 0


def lookup(x, places, first):
    """Return x[first + places[l]] in lane l; x is float32 (n,), and the places are whole numbers inside x."""
    return x[first + places.astype(int)]


def lane_numbers(lanes):
    """Return 0, 1, .. lanes - 1."""
    return np.arange(lanes, dtype=np.float32)


def store(y, at, v):
    """Set y[at, :] = v; y may be float32, or uint8 for whole numbers v in 0 .. 255."""
    y[at] = v


def store_row(y, at, size, v):
    """Set y[..., k : k + lanes] = v along the last axis, with at = (..., k), but nothing from index `size` on."""
    *row, k = at
    part = y[tuple(row)][k : max(k, min(k + len(v), size))]
    part[...] = v[: len(part)]


def store_span(y, at, v):
    """Set y[..., k : k + lanes] = v along the last axis, with at = (..., k); all of it must lie inside."""
    *row, k = at
    y[tuple(row)][k : k + len(v)] = v


def store_scalar(y, at, s):
    """Set y[at] = s for one scalar."""
    y[at] = s


def fma(a, b, c):
    """Return a * b + c."""
    return a * b + c


def exceeds(a, b):
    """Return the mask of the lanes in which a is larger than b, or NaN."""
    return (a > b) | np.isnan(a)


def maximum(a, b):
    """Return the larger of a and b in each lane; NaN if one is NaN. It is faster if a is a constant."""
    return np.where(exceeds(a, b), a, b)


def select(mask, a, b):
    """Return a in the lanes where the mask is true, else b."""
    return np.where(mask, a, b)


def sqrt(v):
    """Return the square root of each lane."""
    return np.sqrt(v)


def round(v):
    """Round each lane to the nearest integer, halves to even."""
    return np.rint(v)


def floor(v):
    """Round each lane down to an integer."""
    return np.floor(v)


def power_of_two(n):
    """Return 2**n for whole numbers n from -126 to 127, 0 for -127 and infinity for 128."""
    with np.errstate(over="ignore"):
        return np.where(n == -127, 0, np.exp2(n.astype(np.float64))).astype(np.float32)


def exponent(v):
    """Return the whole number e with v = mantissa(v) * 2**e, for positive normal v."""
    return np.frexp(v)[1].astype(np.float32)


def mantissa(v):
    """Return the m in [0.5, 1) with v = m * 2**exponent(v), for positive normal v."""
    return np.frexp(v)[0]


def evens(a, b):
    """Return lanes 0, 2, 4, .. of a, then those of b."""
    return np.concatenate([a, b])[::2]


def odds(a, b):
    """Return lanes 1, 3, 5, .. of a, then those of b."""
    return np.concatenate([a, b])[1::2]


def sum_lanes(v):
    """Return the sum over all lanes, a scalar."""
    return np.sum(v)


def store_sums(y, at, t):
    """Set y[.., i + n, k + m] to the sum over all lanes of t[n, m], with at = (.., i, k), where that is inside y."""
    *outer, i, k = at
    rows = y[tuple(outer)][i : i + t.shape[0]]
    for n in range(len(rows)):
        part = rows[n, k : k + t.shape[1]]
        part[...] = [np.sum(t[n, m]) for m in range(len(part))]


def transpose(t):
    """Transpose the L x L square whose rows are the vectors of a tile (L), in place."""
    columns = np.stack(list(t)).T
    for k in range(len(t)):
        t[k] = columns[k].copy()


NAMES = tuple(name for name, value in globals().items() if isinstance(value, FunctionType))


def bind(kernel: Callable, lanes: ModuleType, inline: bool = False) -> Callable:
    """Return a kernel with the lane functions of another module, compiled by that module's `compile_kernel`.

    Functions that the kernel calls are bound too, and inlined, because they may take tiles.
    """
    return lanes.compile_kernel(with_lanes(cast(FunctionType, kernel), lanes), inline)


def with_lanes(kernel: FunctionType, lanes: ModuleType) -> FunctionType:
    """Return a copy of a function that calls the lane functions of another module, and bound functions."""
    used, meanings = kernel.__code__.co_names, {}
    for name in used:
        value = kernel.__globals__.get(name)
        if name in NAMES:
            meanings[name] = getattr(lanes, name)
        elif isinstance(value, FunctionType):
            meanings[name] = bind(value, lanes, inline=True)
    replaced = getattr(lanes, "REPLACED", {})  # under another name, because Numba refuses other meanings of builtins
    names = {**kernel.__globals__, **meanings, **{name: getattr(lanes, name) for name in replaced.values()}}
    code = kernel.__code__.replace(co_names=tuple(replaced.get(name, name) for name in used))
    return FunctionType(code, names, kernel.__name__, None, kernel.__closure__)
