"""Element-wise operations on the CPU: each core computes a contiguous range of vectors."""

import numpy as np
from numba import prange

from fastdigits.ops.elementwise import kernel
from fastdigits.ops.lanes import bind, cpu

_copy = bind(kernel.copy, cpu)
_add = bind(kernel.add, cpu)
_dropout = bind(kernel.dropout, cpu)


@cpu.parallel
def copy(x, y):
    """See reference.copy."""
    for v in prange(len(y)):
        _copy(x, y, np.int64(v))


@cpu.parallel
def add(a, b, y):
    """See reference.add."""
    for v in prange(len(y)):
        _add(a, b, y, np.int64(v))


@cpu.parallel
def dropout(x, mask, rate, y):
    """See reference.dropout."""
    for v in prange(len(y)):
        _dropout(x, mask, 1 / (1 - rate), y, np.int64(v))
