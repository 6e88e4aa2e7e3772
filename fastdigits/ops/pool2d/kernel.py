"""Pooling of one row of windows or one plane of pixels, written once for every device."""

from fastdigits.ops.lanes import load, maximum, select, splat, store


def max_forward_row(x, window, stride, y, b, c, i):
    """maxpool2d_forward for row i of one channel."""
    P, Q = window
    B, C, I, J, L = y.shape
    for j in range(J):
        best = load(x, (b, c, i * stride, j * stride))
        for p in range(P):
            for q in range(Q):
                best = maximum(load(x, (b, c, i * stride + p, j * stride + q)), best)
        store(y, (b, c, i, j), best)


def first_maximum(x, window, stride, b, c, i, j):
    """The number p Q + q of the first largest pixel of a window."""
    P, Q = window
    best, first = load(x, (b, c, i * stride, j * stride)), splat(0.0)
    for p in range(P):
        for q in range(Q):
            v = load(x, (b, c, i * stride + p, j * stride + q))
            first = select(v > best, splat(p * Q + q), first)
            best = maximum(v, best)
    return first


def avg_forward_row(x, window, stride, y, b, c, i):
    """avgpool2d_forward for row i of one channel."""
    P, Q = window
    B, C, I, J, L = y.shape
    for j in range(J):
        total = splat(0.0)
        for p in range(P):
            for q in range(Q):
                total = total + load(x, (b, c, i * stride + p, j * stride + q))
        store(y, (b, c, i, j), total * splat(1 / (P * Q)))
