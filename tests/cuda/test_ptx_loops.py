"""Loops of kernels count like those of Python, and do not compute more than they need."""

import numpy as np
import pytest

from fastdigits.ops.lanes import broadcast, fma, splat, store_scalar

pytestmark = pytest.mark.slow


def digest(bounds, found):
    """Fill found with a number for each of four ranges that tells which numbers they have, in which order."""
    start, stop = broadcast(bounds, (0,)), broadcast(bounds, (1,))
    numbers = 1
    for n in range(stop):
        numbers = 3 * numbers + n
    found[0] = numbers
    numbers = 1
    for n in range(start, stop):
        numbers = 3 * numbers + n
    found[1] = numbers
    numbers = 1
    for n in range(start, stop, 4):
        numbers = 3 * numbers + n
    found[2] = numbers
    numbers = 1
    for n in range(start, stop, -3):
        numbers = 3 * numbers + n
    found[3] = numbers


@pytest.mark.parametrize("bounds", [(0, 0), (-2, 5), (5, -2), (3, 4), (4, 3), (1, 14), (14, 1)])
def test_ranges_have_the_numbers_of_python(gpu, bounds):
    from fastdigits.ops.cuda.launch import kernel

    found, expected = gpu.array(np.zeros(4, np.int64)), np.zeros(4, np.int64)
    kernel(lambda bounds, found: (1,), warps=1)(digest)(gpu.array(bounds, np.int64), found)
    digest(np.array(bounds), expected)
    np.testing.assert_array_equal(found.get(), expected)


def polynomial(x, y):
    total = splat(0.0)
    for n in range(100):
        total = fma(total, broadcast(x, (0,)), broadcast(x, (n,)))
    store_scalar(y, (0,), total)


def test_a_loop_has_little_work_beside_its_body(gpu):
    from fastdigits.ops.cuda.launch import kernel

    x, y = gpu.array(np.ones(100, np.float32)), gpu.zeros((1,))
    gpu.launches.clear()
    kernel(lambda x, y: (1,), warps=1)(polynomial)(x, y)
    [launched] = gpu.launches
    assert y.get() == 100
    assert launched.instructions["fma"] == 100
    assert launched.instructions["select"] == 0  # of numbers that change only if something is left
    assert launched.instructions["integer64"] <= 100
