"""Local response normalization of all channels of one pixel."""

from fastdigits.ops.lanes import fma, load, splat, store
from fastdigits.ops.lanes.math import exp, log


def forward_pixel(x, size, alpha, beta, k, base, y, b, s):
    """Fill base and y at pixel s of block b."""
    B, C, S, L = x.shape
    for c in range(C):
        total = splat(0.0)
        for d in range(max(0, c - size // 2), min(C, c + size // 2 + 1)):
            v = load(x, (b, d, s))
            total = fma(v, v, total)
        energy = fma(splat(alpha), total, splat(k))
        store(base, (b, c, s), energy)
        store(y, (b, c, s), load(x, (b, c, s)) * exp(splat(-beta) * log(energy)))


def backward_pixel(x, y, dy, base, size, slope, beta, dx, b, s):
    """Fill dx at pixel s of block b, with slope = -2 alpha beta."""
    B, C, S, L = x.shape
    for c in range(C):
        total = splat(0.0)
        for d in range(max(0, c - size // 2), min(C, c + size // 2 + 1)):
            at = (b, d, s)
            total = total + load(dy, at) * load(y, at) / load(base, at)
        at = (b, c, s)
        direct = load(dy, at) * exp(splat(-beta) * log(load(base, at)))
        store(dx, at, fma(splat(slope) * load(x, at), total, direct))
