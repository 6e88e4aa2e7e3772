"""Random numbers on a GPU: each thread draws one."""

import numpy as np
from numba import cuda

from fastdigits.ops.array.cuda import upload
from fastdigits.ops.cuda.launch import LANES, blocks, kernel, warp_number
from fastdigits.ops.random import mask_threshold, reference
from fastdigits.ops.random.kernel import mask_element, uniform


def _each_element(*arguments):
    """Return the grid with a thread for each element of the last argument."""
    return (blocks(-(-len(arguments[-1]) // LANES)),)


def random_uniform(seed, stream, step, values):
    """See reference.random_uniform."""
    _random_uniform(np.uint64(seed), np.uint64(stream), np.uint64(step), values)


def random_permutation(seed, step, order):
    """See reference.random_permutation. Waits for the copy to the device, once an epoch."""
    permutation = np.empty(len(order), np.int32)
    reference.random_permutation(seed, step, permutation)
    order[...] = upload(permutation)


def random_mask(seed, stream, step, rate, mask):
    """See reference.random_mask."""
    _random_mask(np.uint64(seed), np.uint64(stream), step, np.uint64(mask_threshold(rate)), mask)


@kernel(_each_element)
def _random_uniform(seed, stream, step, values):
    e = warp_number() * LANES + cuda.threadIdx.x
    if e < len(values):
        values[e] = uniform(e, step, stream, seed)


@kernel(lambda seed, stream, step, threshold, mask: (blocks(mask.shape[1]), mask.shape[0]))
def _random_mask(seed, stream, step, threshold, mask):
    k, b = warp_number(), cuda.blockIdx.y
    if k < mask.shape[1]:
        mask_element(seed, stream, step[0], threshold, mask, b, k, cuda.threadIdx.x)
