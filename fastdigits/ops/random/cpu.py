"""Random numbers on the CPU: each core draws a contiguous range of elements."""

import numpy as np
from numba import prange

from fastdigits.ops.lanes import bind, cpu
from fastdigits.ops.random import ROUNDS, cpu_kernel, half_bits, kernel, mask_threshold

_philox_word = bind(kernel.philox_word, cpu)
_uniform = bind(kernel.uniform, cpu)
_permuted = bind(kernel.permuted, cpu)
_mask_row = bind(cpu_kernel.mask_row, cpu)


def random_uniform(seed, stream, step, values):
    """See reference.random_uniform."""
    _random_uniform(np.uint64(seed), stream, step, values)


def random_permutation(seed, step, order):
    """See reference.random_permutation."""
    _random_permutation(np.uint64(seed), step, half_bits(len(order)), order)


def random_mask(seed, stream, step, rate, mask):
    """See reference.random_mask."""
    _random_mask(np.uint64(seed), stream, step, np.uint64(mask_threshold(rate)), mask)


@cpu.parallel
def _random_uniform(seed, stream, step, values):
    for e in prange(len(values)):
        values[e] = _uniform(e, step, stream, seed)


@cpu.parallel
def _random_permutation(seed, step, bits, order):
    keys = np.empty(ROUNDS, np.uint64)
    for r in range(ROUNDS):
        keys[r] = _philox_word(r, step, 0xFFFFFFFF, seed)
    for i in prange(len(order)):
        order[i] = _permuted(i, len(order), bits, keys)


@cpu.parallel
def _random_mask(seed, stream, step, threshold, mask):
    B, K, L = mask.shape
    for t in prange(B * K):
        _mask_row(seed, stream, step[0], threshold, mask, t // K, t % K)
