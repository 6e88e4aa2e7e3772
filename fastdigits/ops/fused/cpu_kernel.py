"""Convolution with ReLU and pooling on the CPU, one tile at a time. Pooling windows are 2 x 2 pixels, 2 apart."""

from fastdigits.ops.fused.kernel import store_window
from fastdigits.ops.lanes import broadcast, fma, load, splat, store, tile


def pad_strip(x, strip, b, h0, left):
    """Fill a strip of rows of block b from row h0 on, with `left` columns of zeros before them, and zeros outside."""
    B, C, H, W, L = x.shape
    _, C, R, S, L = strip.shape
    for c in range(C):
        for r in range(R):
            inside = 0 <= h0 + r < H
            for s in range(S):
                if inside and 0 <= s - left < W:
                    store(strip, (0, c, r, s), load(x, (b, c, h0 + r, s - left)))
                else:
                    store(strip, (0, c, r, s), splat(0.0))


def forward_pool_tile(x, weight, bias, y, pool_mask, block, h0, w0, b, o0, i, j, N, Q, MAXIMUM, MASKED):
    """Fill pixel i, j of block b of the pooled output channels o0 .. o0+N.

    Its first window begins at row h0 and column w0 of a block of x. Q is the number of columns of the kernel as a
    constant, so that the loop over them is unrolled. MAXIMUM is 1 for max pooling, 0 for average pooling. If MASKED is
    0, pool_mask is empty.
    """
    O, C, P, _ = weight.shape
    acc = tile(N, 2, 2)
    for n in range(N):
        for r in range(2):
            for s in range(2):
                acc[n, r, s] = broadcast(bias, (min(o0 + n, O - 1),))
    for c in range(C):
        for p in range(P):
            for q in range(Q):
                xs = tile(2, 2)
                for r in range(2):
                    for s in range(2):
                        xs[r, s] = load(x, (block, c, h0 + p + r, w0 + q + s))
                for n in range(N):
                    v = broadcast(weight, (min(o0 + n, O - 1), c, p, q))
                    for r in range(2):
                        for s in range(2):
                            acc[n, r, s] = fma(xs[r, s], v, acc[n, r, s])
    for n in range(N):
        if o0 + n < O:
            window = tile(4)
            for k in range(4):
                window[k] = acc[n, k // 2, k % 2]
            store_window(window, y, pool_mask, (b, o0 + n, i, j), MAXIMUM, MASKED)
