"""NumPy: its matrix product, which is that of a BLAS library, for the sizes of a layer."""

from statistics import median
from time import perf_counter

import numpy as np

from fastdigits.bench.timing import timed, wait_until_idle

NAME = "numpy"


def version() -> str:
    """The framework's version."""
    return np.__version__


def product_seconds(rows: int, inner: int, columns: int, runs: int) -> float:
    """The median time of (rows, inner) times (inner, columns) in float32, with as many threads as the library takes."""
    random = np.random.default_rng(0)
    a = random.standard_normal((rows, inner), np.float32)
    b = random.standard_normal((inner, columns), np.float32)
    product = np.empty((rows, columns), np.float32)
    wait_until_idle()
    np.matmul(a, b, product)
    return median(timed(lambda _: np.matmul(a, b, product), 1, perf_counter) for _ in range(runs))
