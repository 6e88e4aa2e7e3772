"""NumPy: time its matrix product, which a BLAS library computes, for the size of a layer."""

from statistics import median
from time import perf_counter

import numpy as np

from fastdigits.bench.timing import timed, wait_until_idle

NAME = "numpy"


def version() -> str:
    """Return the version of the framework."""
    return np.__version__


def product_seconds(rows: int, inner: int, columns: int, runs: int) -> float:
    """Return the median seconds of a product (rows, inner) @ (inner, columns) in float32, on the library's threads."""
    random = np.random.default_rng(0)
    a = random.standard_normal((rows, inner), np.float32)
    b = random.standard_normal((inner, columns), np.float32)
    product = np.empty((rows, columns), np.float32)
    wait_until_idle()
    np.matmul(a, b, product)
    return median(timed(lambda _: np.matmul(a, b, product), 1, perf_counter) for _ in range(runs))
