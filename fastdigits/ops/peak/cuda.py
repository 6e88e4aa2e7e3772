"""Peak rates of a GPU: multiply-adds in registers, and memory traffic."""

from collections.abc import Callable

import numpy as np

from fastdigits.ops.array.cuda import download, empty, zeros
from fastdigits.ops.cuda.launch import LANES, WARPS, bound, kernel, warp_number
from fastdigits.ops.lanes import fma, load, splat, store, tile
from fastdigits.ops.peak.kernel import chains

CHAINS = 64  # independent sums of a thread: enough that the loop counter costs next to nothing
VECTORS = 4  # vectors per warp: a single one would keep too few bytes in flight

_chains = bound(chains)


@kernel(lambda x, y, repeats: (len(y) // WARPS,))
def multiply_adds(x, y, repeats):
    """Run `repeats` multiply-adds on each number of x, in one warp for each row of y.

    Parameters
    ----------
    x : float32 (CHAINS, LANES)
    y : float32 (warps, CHAINS, LANES), filled; the warps are a multiple of WARPS
    repeats : int
    """
    _chains(x, y, warp_number(), repeats, CHAINS)


@kernel(lambda b, c, a: (len(a) // (WARPS * VECTORS),))
def triad(b, c, a):
    """Fill a = b + 3 c, which reads two numbers and writes one for each element.

    Parameters
    ----------
    b, c : float32 (V, LANES), with V a multiple of WARPS * VECTORS
    a : float32 (V, LANES), filled
    """
    first, sums = warp_number() * VECTORS, tile(VECTORS)
    for k in range(VECTORS):
        sums[k] = fma(load(c, (first + k,)), splat(3.0), load(b, (first + k,)))
    for k in range(VECTORS):
        store(a, (first + k,), sums[k])


def multiply_adds_work(warps: int, repeats: int) -> tuple[Callable[[], None], int]:
    """Return a function that runs the multiply-adds and waits for them, and its floating-point operations."""
    x, y = zeros((CHAINS, LANES)), empty((warps, CHAINS, LANES))

    def work() -> None:
        multiply_adds(x, y, repeats)
        download(y[:1])  # waits

    return work, 2 * int(np.prod(y.shape)) * repeats


def triad_work(vectors: int) -> tuple[Callable[[], None], int]:
    """Return a function that runs the triad and waits for it, and the bytes that it moves."""
    a, b, c = (zeros((vectors, LANES)) for _ in range(3))

    def work() -> None:
        triad(b, c, a)
        download(a[:1])  # waits

    return work, 3 * 4 * vectors * LANES
