"""Element-wise operations on vector v of arrays (V, L)."""

from fastdigits.ops.lanes import load, splat, store


def copy(x, y, v):
    store(y, (v,), load(x, (v,)))


def add(a, b, y, v):
    store(y, (v,), load(a, (v,)) + load(b, (v,)))


def dropout(x, mask, scale, y, v):
    """Fill y[v] = scale mask[v] x[v], with scale = 1 / (1 - rate)."""
    store(y, (v,), load(mask, (v,)) * load(x, (v,)) * splat(scale))
