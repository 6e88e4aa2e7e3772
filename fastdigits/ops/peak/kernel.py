"""Multiply-adds in registers: the kernel that measures how fast a device computes."""

from fastdigits.ops.lanes import fma, load, splat, store, tile


def chains(x, y, t, repeats, N):
    """Lengthen N independent chains of multiply-adds in registers; their ends go to y[t], so that none is left out."""
    acc = tile(N)
    for n in range(N):
        acc[n] = load(x, (n,))
    half, one = splat(0.5), splat(1.0)  # sums go to 2, and never to slow numbers near 0 or to infinity
    for _ in range(repeats):
        for n in range(N):
            acc[n] = fma(acc[n], half, one)
    for n in range(N):
        store(y, (t, n), acc[n])
