"""The gradient of pooling on the CPU, one channel of a block of images at a time."""

from fastdigits.ops.lanes import load, select, splat, store
from fastdigits.ops.pool2d.kernel import first_maximum


def max_backward_plane(x, dy, window, stride, dx, b, c):
    """Fill dx of channel c, adding dy at the first maximum of each window."""
    P, Q = window
    B, C, I, J, L = dy.shape
    _clear_plane(dx, b, c)
    for i in range(I):
        for j in range(J):
            first, d = first_maximum(x, window, stride, b, c, i, j), load(dy, (b, c, i, j))
            for p in range(P):
                for q in range(Q):
                    at = (b, c, i * stride + p, j * stride + q)
                    store(dx, at, load(dx, at) + select(first == splat(p * Q + q), d, splat(0.0)))


def avg_backward_plane(dy, window, stride, dx, b, c):
    """Fill dx of channel c, adding dy / (P Q) at each pixel of each window."""
    P, Q = window
    B, C, I, J, L = dy.shape
    _clear_plane(dx, b, c)
    for i in range(I):
        for j in range(J):
            d = load(dy, (b, c, i, j)) * splat(1 / (P * Q))
            for p in range(P):
                for q in range(Q):
                    at = (b, c, i * stride + p, j * stride + q)
                    store(dx, at, load(dx, at) + d)


def _clear_plane(dx, b, c):
    B, C, H, W, L = dx.shape
    for h in range(H):
        for w in range(W):
            store(dx, (b, c, h, w), splat(0.0))
