"""The kernels that measure a GPU do the operations that are counted."""

from math import prod

import numpy as np

from fastdigits.ops.cuda.launch import LANES, WARPS
from fastdigits.ops.peak import cuda


def test_multiply_adds_run_the_given_repeats():
    x = np.arange(cuda.CHAINS * LANES, dtype=np.float32).reshape(-1, LANES)
    y = np.full((WARPS, *x.shape), np.nan, np.float32)
    cuda.multiply_adds(x, y, 3)
    np.testing.assert_array_equal(y, np.broadcast_to(((x / 2 + 1) / 2 + 1) / 2 + 1, y.shape))


def test_triad():
    shape = 2 * WARPS * cuda.VECTORS, LANES
    b, c, a = np.arange(prod(shape), dtype=np.float32).reshape(shape), np.full(shape, 2.0), np.full(shape, np.nan)
    cuda.triad(b, c.astype(np.float32), a)
    np.testing.assert_array_equal(a, b + 6)


def test_counted_operations_and_bytes():
    work, flops = cuda.multiply_adds_work(WARPS, 2)
    work()
    assert flops == 2 * 2 * WARPS * cuda.CHAINS * LANES  # a product and a sum, twice
    vectors = WARPS * cuda.VECTORS
    work, moved_bytes = cuda.triad_work(vectors)
    work()
    assert moved_bytes == 3 * 4 * vectors * LANES
