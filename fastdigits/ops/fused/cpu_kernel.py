"""Convolution with ReLU and pooling on the CPU, one tile at a time. Pooling windows are 2 x 2 pixels, 2 apart."""

from fastdigits.ops.conv2d.kernel import load_pixel
from fastdigits.ops.fused.kernel import store_window
from fastdigits.ops.lanes import any_bit, broadcast, fma, load, select, splat, store, store_scalar, sum_lanes, tile


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


def unpool_row(dy, pool_mask, dz, b, o, i, MAXIMUM):
    """Fill the two rows of dz, the gradient of the convolution's output, that are pooled to row i."""
    B, O, I, J, L = dy.shape
    for j in range(J):
        d = load(dy, (b, o, i, j)) * splat(1.0 if MAXIMUM else 0.25)
        for k in range(4):
            chosen = any_bit(pool_mask, (b, o, i, j), 1 << k)
            store(dz, (b, o, 2 * i + k // 2, 2 * j + k % 2), select(chosen, d, splat(0.0)))


def backward_weight_tile(x, dy, pool_mask, top, left, dweight, dbias, o, c, p0, q0, R, M, MAXIMUM):
    """Fill dweight for kernel rows p0 .. p0+R and columns q0 .. q0+M of output channel o and input channel c.

    MAXIMUM is 1 for max pooling, 0 for average pooling.
    """
    B, C, H, W, L = x.shape
    B, O, I, J, L = dy.shape
    O, C, P, Q = dweight.shape
    acc, bias = tile(R, M), splat(0.0)
    for r in range(R):
        for m in range(M):
            acc[r, m] = splat(0.0)
    first = min(J, max(0, (left - q0 + 1) // 2))  # pooled columns first .. last read x only inside
    last = max(first, min(J, (W - 1 - M - q0 + left) // 2 + 1))
    for b in range(B):
        for i in range(I):
            h0 = 2 * i + p0 - top
            inside = 0 <= h0 < H - R
            for j in range(J):
                at, w0 = (b, o, i, j), 2 * j + q0 - left
                if MAXIMUM:
                    if inside and first <= j < last:
                        bias = bias + _add_max_pixel(x, dy, pool_mask, acc, at, c, h0, w0, R, M, 0)
                    else:
                        bias = bias + _add_max_pixel(x, dy, pool_mask, acc, at, c, h0, w0, R, M, 1)
                else:
                    if inside and first <= j < last:
                        bias = bias + _add_avg_pixel(x, dy, pool_mask, acc, at, c, h0, w0, R, M, 0)
                    else:
                        bias = bias + _add_avg_pixel(x, dy, pool_mask, acc, at, c, h0, w0, R, M, 1)
    for r in range(R):
        for m in range(M):
            if p0 + r < P and q0 + m < Q:
                store_scalar(dweight, (o, c, p0 + r, q0 + m), sum_lanes(acc[r, m]))
    if c == 0 and p0 == 0 and q0 == 0:
        store_scalar(dbias, (o,), sum_lanes(bias))


def _add_max_pixel(x, dy, pool_mask, acc, at, c, h0, w0, R, M, PADDED):
    """Add the products of a max-pooled pixel to acc and return its gradient.

    Select the pixels of x by pool_mask before multiplying, so that one multiplication serves all four positions.
    """
    b, _, _, _ = at
    d = select(any_bit(pool_mask, at, 15), load(dy, at), splat(0.0))
    lower, right = any_bit(pool_mask, at, 4 + 8), any_bit(pool_mask, at, 2 + 8)
    above = tile(M)
    for r in range(R + 1):
        for m in range(M):
            v = select(
                right, load_pixel(x, b, c, h0 + r, w0 + m + 1, PADDED), load_pixel(x, b, c, h0 + r, w0 + m, PADDED)
            )
            if r > 0:
                acc[r - 1, m] = fma(select(lower, v, above[m]), d, acc[r - 1, m])
            above[m] = v
    return d


def _add_avg_pixel(x, dy, pool_mask, acc, at, c, h0, w0, R, M, PADDED):
    """Add the products of an average-pooled pixel to acc; return the sum of its four gradients."""
    b, _, _, _ = at
    ds, total = tile(4), splat(0.0)
    for k in range(4):
        ds[k] = select(any_bit(pool_mask, at, 1 << k), load(dy, at) * splat(0.25), splat(0.0))
        total = total + ds[k]
    for r in range(R + 1):
        for m in range(M + 1):
            v = load_pixel(x, b, c, h0 + r, w0 + m, PADDED)
            for k in range(4):
                if 0 <= r - k // 2 < R and 0 <= m - k % 2 < M:
                    acc[r - k // 2, m - k % 2] = fma(v, ds[k], acc[r - k // 2, m - k % 2])
    return total
