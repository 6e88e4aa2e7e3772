"""Pooling of one row of windows."""

from fastdigits.ops.lanes import exceeds, load, maximum, select, splat, store


def max_forward_row(x, window, stride, y, b, c, i):
    """Fill row i of channel c with the maximum of each window."""
    P, Q = window
    B, C, I, J, L = y.shape
    for j in range(J):
        best = load(x, (b, c, i * stride, j * stride))
        for p in range(P):
            for q in range(Q):
                best = maximum(load(x, (b, c, i * stride + p, j * stride + q)), best)
        store(y, (b, c, i, j), best)


def first_maximum(x, window, stride, b, c, i, j):
    """Return the position p Q + q of the first maximum of a window, or of its last NaN."""
    P, Q = window
    best, first = load(x, (b, c, i * stride, j * stride)), splat(0.0)
    for p in range(P):
        for q in range(Q):
            v = load(x, (b, c, i * stride + p, j * stride + q))
            larger = exceeds(v, best)
            first, best = select(larger, splat(p * Q + q), first), select(larger, v, best)
    return first


def avg_forward_row(x, window, stride, y, b, c, i):
    """Fill row i of channel c with the mean of each window."""
    P, Q = window
    B, C, I, J, L = y.shape
    for j in range(J):
        total = splat(0.0)
        for p in range(P):
            for q in range(Q):
                total = total + load(x, (b, c, i * stride + p, j * stride + q))
        store(y, (b, c, i, j), total * splat(1 / (P * Q)))
