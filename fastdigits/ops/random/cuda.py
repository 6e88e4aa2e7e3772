"""Random numbers on a GPU: each thread draws one."""

import numpy as np
from numba import cuda, uint64

from fastdigits.ops.cuda.launch import LANES, WARPS, blocks, kernel, warp_number
from fastdigits.ops.random import ROUNDS, half_bits, mask_threshold
from fastdigits.ops.random.kernel import mask_element, permuted, philox_word, uniform


def _each_element(*arguments):
    """Return the grid with a thread for each element of the last argument."""
    return (blocks(-(-len(arguments[-1]) // LANES)),)


def random_uniform(seed, stream, step, values):
    """See reference.random_uniform."""
    _random_uniform(np.uint64(seed), np.uint64(stream), np.uint64(step), values)


def random_permutation(seed, step, order):
    """See reference.random_permutation."""
    _random_permutation(np.uint64(seed), np.uint64(step), half_bits(len(order)), order)


def random_mask(seed, stream, step, rate, mask):
    """See reference.random_mask."""
    _random_mask(np.uint64(seed), np.uint64(stream), step, np.uint64(mask_threshold(rate)), mask)


@kernel(_each_element)
def _random_uniform(seed, stream, step, values):
    e = warp_number() * LANES + cuda.threadIdx.x
    if e < len(values):
        values[e] = uniform(e, step, stream, seed)


@kernel(_each_element)
def _random_permutation(seed, step, bits, order):
    keys = cuda.shared.array(ROUNDS, uint64)
    first = cuda.threadIdx.y * LANES + cuda.threadIdx.x
    for r in range(first, ROUNDS, WARPS * LANES):
        keys[r] = philox_word(r, step, 0xFFFFFFFF, seed)
    cuda.syncthreads()
    i = warp_number() * LANES + cuda.threadIdx.x
    if i < len(order):
        order[i] = permuted(i, len(order), bits, keys)


@kernel(lambda seed, stream, step, threshold, mask: (blocks(mask.shape[1]), mask.shape[0]))
def _random_mask(seed, stream, step, threshold, mask):
    k, b = warp_number(), cuda.blockIdx.y
    if k < mask.shape[1]:
        mask_element(seed, stream, step[0], threshold, mask, b, k, cuda.threadIdx.x)
