"""Convolution on the CPU, one tile of sums in registers at a time. kernel.py explains tiles and padding."""

from fastdigits.ops.fused.kernel import store_input_gradient, store_output
from fastdigits.ops.lanes import (
    any_bit,
    broadcast,
    fma,
    load,
    select,
    splat,
    store,
    store_scalar,
    sum_lanes,
    tile,
)


def forward_row(x, weight, bias, y, block, h0, w0, b, o0, i, STRIDE, N, M, Q, relu):
    """Fill row i of block b of y for output channels o0 .. o0+N, and apply a ReLU if relu is 1.

    Its first pixel begins at row h0 and column w0 of a block of x. Tiles have M columns; the last one may overlap the
    one before it. Q is the number of columns of the kernel as a constant, so that the loop over them is unrolled.
    """
    O, C, P, _ = weight.shape
    B, O, I, J, L = y.shape
    for j in range(0, J, M):
        j0 = min(j, J - M)
        acc = tile(N, M)
        for n in range(N):
            for m in range(M):
                acc[n, m] = broadcast(bias, (o0 + n,))
        for c in range(C):
            for p in range(P):
                for q in range(Q):
                    xs = tile(M)
                    for m in range(M):
                        xs[m] = load(x, (block, c, h0 + p, w0 + (j0 + m) * STRIDE + q))
                    for n in range(N):
                        v = broadcast(weight, (o0 + n, c, p, q))
                        for m in range(M):
                            acc[n, m] = fma(xs[m], v, acc[n, m])
        for n in range(N):
            for m in range(M):
                store_output(y, (b, o0 + n, i, j0 + m), acc[n, m], relu)


def unpooled(dy, pool_mask, share, at, k):
    """Return the gradient of pixel k of the four that are pooled to the one at `at`."""
    return select(any_bit(pool_mask, at, 1 << k), load(dy, at) * splat(share), splat(0.0))


def turn_weights(weight, turned, p):
    """Copy row p of the kernels of weight (O, C, P, Q) to turned (P, Q, O, C or more), repeating the last channel."""
    _, C, _, _ = weight.shape
    _, Q, O, channels = turned.shape
    for q in range(Q):
        for o in range(O):
            for c in range(channels):
                turned[p, q, o, c] = weight[o, min(c, C - 1), p, q]


def fill_strip(dy, pool_mask, share, dz, b, i0, E, POOL):
    """Fill dz (R, S, O, L) with the gradient of the convolution's output, from row i0 of dy on as far as it exists.

    E columns of zeros lie on each side. The channels are next to each other, because the kernel sums over them.
    """
    B, O, I, J, L = dy.shape
    R, S, O, L = dz.shape
    for i in range(max(0, i0), min(I, i0 + R // POOL)):
        for o in range(O):
            for j in range(J):
                if POOL == 1:
                    store(dz, (i - i0, E + j, o), load(dy, (b, o, i, j)))
                else:
                    for k in range(4):
                        at = 2 * (i - i0) + k // 2, E + 2 * j + k % 2, o
                        store(dz, at, unpooled(dy, pool_mask, share, (b, o, i, j), k))
    for r in range(R):
        for s in range(E):
            for o in range(O):
                store(dz, (r, s, o), splat(0.0))
                store(dz, (r, S - 1 - s, o), splat(0.0))


def backward_input_row(dz, turned, top, left, x, dx, i0, I, b, c0, h, N, M, relu_input):
    """Fill dx for input channels c0 .. c0+N and row h of block b. dz begins with row i0 of I rows.

    A tile of M columns skips the kernel columns that meet nothing but padding.
    """
    B, C, H, W, L = dx.shape
    P, Q, O, _ = turned.shape
    _, S, O, L = dz.shape
    J = S - 2 * (M - 1)
    for w0 in range(0, W, M):
        acc = tile(N, M)
        for n in range(N):
            for m in range(M):
                acc[n, m] = splat(0.0)
        for p in range(max(0, h + top - I + 1), min(P, h + top + 1)):
            for q in range(max(0, w0 + left - J + 1), min(Q, w0 + left + M)):
                for o in range(O):
                    ds = tile(M)
                    for m in range(M):
                        ds[m] = load(dz, (h + top - p - i0, M - 1 + w0 + left - q + m, o))
                    for n in range(N):
                        v = broadcast(turned, (p, q, o, c0 + n))
                        for m in range(M):
                            acc[n, m] = fma(ds[m], v, acc[n, m])
        for n in range(N):
            for m in range(M):
                if c0 + n < C and w0 + m < W:
                    store_input_gradient(x, dx, (b, c0 + n, h, w0 + m), acc[n, m], relu_input)


def clear_sums(sums):
    """Fill the sums (N, C + 1, P, Q, L) with zeros."""
    N, C, P, Q, L = sums.shape
    for n in range(N):
        for c in range(C):
            for p in range(P):
                for q in range(Q):
                    store(sums, (n, c, p, q), splat(0.0))


def unpool_rows(dy, pool_mask, share, dz, b, o0, i0):
    """Fill dz (N, R, J, L) with the gradient of the convolution's output from row i0 and channel o0 on.

    Channels after the last are filled with the last, as sums are computed with them, too.
    """
    B, O, I, J, L = dy.shape
    N, R, _, L = dz.shape
    for n in range(N):
        for i in range(i0 // 2, min(I, (i0 + R) // 2)):
            for j in range(J):
                for k in range(4):
                    at = n, 2 * i - i0 + k // 2, 2 * j + k % 2
                    store(dz, at, unpooled(dy, pool_mask, share, (b, min(o0 + n, O - 1), i, j), k))


def pad_rows(x, padded, b, c, h0, left):
    """Fill `padded` (R, S, L) with the rows of channel c from row h0 on that exist, after `left` columns of zeros."""
    B, C, H, W, L = x.shape
    R, S, L = padded.shape
    for r in range(max(0, -h0), min(R, H - h0)):
        for s in range(S):
            inside = 0 <= s - left < W
            store(padded, (r, s), load(x, (b, c, h0 + r, s - left)) if inside else splat(0.0))


def add_rows(x, dz, sums, stride, c, h0, H, first, w0, o0, i0, rows, N, M):
    """Add the products of the rows of dz from i0 on to the sums (N, C + 1, P, Q, L) of input channel c.

    Their kernels begin in row h0 and column w0 of the channel. It has H rows, of which x begins with row `first`.
    Q is rounded up to a multiple of M.
    """
    O, _, J, L = dz.shape
    _, _, P, Q, L = sums.shape
    for p in range(P):
        for q0 in range(0, Q, M):
            acc = tile(N, M)
            for n in range(N):
                for m in range(M):
                    acc[n, m] = load(sums, (n, c, p, q0 + m))
            for r in range(rows):
                h = h0 + r * stride + p
                if 0 <= h < H:
                    for j in range(J):
                        ds = tile(N)
                        for n in range(N):
                            ds[n] = load(dz, (min(o0 + n, O - 1), i0 + r, j))
                        for m in range(M):
                            v = load(x, (h - first, w0 + j * stride + q0 + m))
                            for n in range(N):
                                acc[n, m] = fma(v, ds[n], acc[n, m])
            for n in range(N):
                for m in range(M):
                    store(sums, (n, c, p, q0 + m), acc[n, m])


def add_bias(dz, sums, n, o, i0, rows):
    """Add all pixels of some rows of dz[o] to the last of sums[n]: the bias is like the weight of a channel of ones."""
    O, _, J, L = dz.shape
    N, C, P, Q, L = sums.shape
    acc = tile(4)  # four independent sums, because with one each addition would wait for the previous one
    for k in range(4):
        acc[k] = splat(0.0)
    for i in range(i0, i0 + rows):
        for j0 in range(0, J - 3, 4):
            for k in range(4):
                acc[k] = acc[k] + load(dz, (o, i, j0 + k))
        for j in range(J - J % 4, J):
            acc[0] = acc[0] + load(dz, (o, i, j))
    at = n, C - 1, 0, 0
    store(sums, at, load(sums, at) + ((acc[0] + acc[1]) + (acc[2] + acc[3])))


def store_part(sums, parts, part, o0, Q):
    """Store the sums over all lanes in parts[part] (O, C * P * Q + 1)."""
    _, O, K = parts.shape
    N, _, P, _, L = sums.shape
    for n in range(min(N, O - o0)):
        for k in range(K):
            at = n, k // Q // P, k // Q % P, k % Q
            store_scalar(parts, (part, o0 + n, k), sum_lanes(load(sums, at)))


def add_parts(parts, dweight, dbias, o):
    """Fill row o of dweight (O, C * P * Q) and dbias[o]."""
    _, O, K = parts.shape
    for k in range(K - 1):
        dweight[o, k] = parts[0, o, k]
    dbias[o] = parts[0, o, K - 1]
    for part in range(1, len(parts)):
        for k in range(K - 1):
            dweight[o, k] += parts[part, o, k]
        dbias[o] += parts[part, o, K - 1]
