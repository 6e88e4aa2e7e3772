"""What a GPU can do at most: multiply-adds on registers alone, and traffic with its memory alone.

See ops/peak.py for the same on the CPU. Every thread works on numbers of its own.
"""

from collections.abc import Callable

import numpy as np
from numba import cuda, float32

THREADS = 256  # of a block
CHAINS = 8  # independent sums of a thread: with its neighbours they hide how long one multiply-add takes
TURNS = 16  # written out, so that counting them costs next to nothing


@cuda.jit
def multiply_adds(y, repeats):
    """Run `repeats` * TURNS * CHAINS multiply-adds in each thread.

    Parameters
    ----------
    y : float32 (threads,), filled, so that none is left out
    repeats : int
    """
    n = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    chains = cuda.local.array(CHAINS, float32)
    half, one = float32(0.5), float32(1.0)  # sums go to 2, and never to slow numbers near 0 or to infinity
    for c in range(CHAINS):
        chains[c] = float32(n + c)  # which the compiler cannot foresee
    for _ in range(repeats):
        for _turn in range(TURNS):
            for c in range(CHAINS):
                chains[c] = chains[c] * half + one
    total = float32(0.0)
    for c in range(CHAINS):
        total += chains[c]
    y[n] = total


@cuda.jit
def triad(b, c, a):
    """Fill a[i] = b[i] + 3 c[i]: two numbers read and one written for each i.

    Parameters
    ----------
    b, c : float32 (N,)
    a : float32 (N,), filled
    """
    i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    if i < a.size:
        a[i] = b[i] + float32(3) * c[i]


def multiply_adds_work(blocks: int, repeats: int) -> tuple[Callable[[], None], int]:
    """(work that ends when the GPU has done it, the floating-point operations of it)."""
    y = cuda.device_array(blocks * THREADS, np.float32)

    def work() -> None:
        multiply_adds[blocks, THREADS](y, repeats)
        cuda.synchronize()

    return work, 2 * y.size * repeats * TURNS * CHAINS


def triad_work(numbers: int) -> tuple[Callable[[], None], int]:
    """(work that ends when the GPU has done it, the bytes that it moves)."""
    a, b, c = (cuda.device_array(numbers, np.float32) for _ in range(3))

    def work() -> None:
        triad[-(-numbers // THREADS), THREADS](b, c, a)
        cuda.synchronize()

    return work, 3 * 4 * numbers
