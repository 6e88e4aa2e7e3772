"""NumPy: time its matrix product, which a BLAS library computes, for the size of a layer."""

import numpy as np

from fastdigits.bench.timing import time_in_turns

NAME = "numpy"
BUDGET_S = 1.0  # for each product


def version() -> str:
    """Return the version of the framework."""
    return np.__version__


def product_seconds(rows: int, inner: int, columns: int, runs: int) -> float:
    """Return the median seconds of a product (rows, inner) @ (inner, columns) in float32, on the library's threads."""
    random = np.random.default_rng(0)
    a = random.standard_normal((rows, inner), np.float32)
    b = random.standard_normal((inner, columns), np.float32)
    product = np.empty((rows, columns), np.float32)

    def run(steps: int) -> None:
        for _ in range(steps):
            np.matmul(a, b, product)

    (times,) = time_in_turns([run], runs, BUDGET_S)
    return times.median
