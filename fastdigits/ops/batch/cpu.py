"""Which core gathers which block."""

import numpy as np
from numba import njit, prange

from fastdigits.ops.batch import kernel
from fastdigits.ops.lanes import bind, cpu

_gather_block = bind(kernel.gather_block, cpu)


@njit(parallel=True, nogil=True, cache=True)
def gather_batch(images, labels, order, start, count, scale, shift, x, targets):
    """See reference.gather_batch. A core owns whole blocks."""
    for b in prange(x.shape[0]):
        _gather_block(images, labels, order, start[0], count, scale, shift, x, targets, np.int64(b))
