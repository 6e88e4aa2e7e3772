"""Convolution with ReLU and pooling on the CPU, one tile at a time. Pooling windows are 2 x 2 pixels, 2 apart."""

from fastdigits.ops.conv2d.kernel import load_pixel
from fastdigits.ops.fused.kernel import store_pooled
from fastdigits.ops.lanes import any_bit, broadcast, fma, load, select, splat, store, store_scalar, sum_lanes, tile


def forward_pool_tile(x, weight, bias, top, left, y, pool_mask, b, o0, i, j, N, PADDED, MAXIMUM):
    """Fill pixel i, j of the pooled output channels o0 .. o0+N.

    PADDED is 0 if no pixel that is read lies outside. MAXIMUM is 1 for max pooling, 0 for average pooling.
    """
    B, C, H, W, L = x.shape
    B, O, I, J, L = y.shape
    O, C, P, Q = weight.shape
    h0, w0 = 2 * i - top, 2 * j - left
    acc = tile(N, 2, 2)
    for n in range(N):
        for r in range(2):
            for s in range(2):
                acc[n, r, s] = broadcast(bias, (min(o0 + n, O - 1),))
    for c in range(C):
        for p in range(max(0, -1 - h0), min(P, H - h0)):
            for q in range(Q):
                xs = tile(2, 2)
                for r in range(2):
                    for s in range(2):
                        xs[r, s] = load_pixel(x, b, c, h0 + p + r, w0 + q + s, PADDED)
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
            store_pooled(window, y, pool_mask, (b, o0 + n, i, j), MAXIMUM)


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
