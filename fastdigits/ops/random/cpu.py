"""Random numbers on the CPU: each core draws a contiguous range of elements."""

import numpy as np
from numba import prange

from fastdigits.ops.lanes import bind, cpu
from fastdigits.ops.random import cpu_kernel, kernel, mask_threshold
from fastdigits.ops.random.reference import random_permutation

_uniform = bind(kernel.uniform, cpu)
_mask_row = bind(cpu_kernel.mask_row, cpu)


def random_uniform(seed, stream, step, values):
    """See reference.random_uniform."""
    _random_uniform(np.uint64(seed), stream, step, values)


def random_mask(seed, stream, step, rate, mask):
    """See reference.random_mask."""
    _random_mask(np.uint64(seed), stream, step, np.uint64(mask_threshold(rate)), mask)


@cpu.parallel
def _random_uniform(seed, stream, step, values):
    for e in prange(len(values)):
        values[e] = _uniform(e, step, stream, seed)


@cpu.parallel
def _random_mask(seed, stream, step, threshold, mask):
    B, K, L = mask.shape
    for t in prange(B * K):
        _mask_row(seed, stream, step[0], threshold, mask, t // K, t % K)


__all__ = ["random_mask", "random_permutation", "random_uniform"]
