"""The steps of Winograd's convolution on the CPU.

Tiles of 4 x 4 outputs are numbered along the rows of an image; a row has `tiles_across` of them. The 36 points
k = 6 * row + column are the first axis of every array of transformed tiles, so that the sum over channels is one
matrix product for each k. The scratch arrays:

u (36, R, S)       transformed kernels from channels r to channels s
v (36, C * T, L)   transformed inputs of T tiles, channel c from c * T on, or their gradients
m (36, O * T, L)   products of u and v, or transformed gradients of the outputs, in the same order
"""

from fastdigits.ops.fused.epilogues import RELU_AVGPOOL, RELU_MAXPOOL, RELU_ONLY
from fastdigits.ops.fused.kernel import store_input_gradient, store_output, store_pooled
from fastdigits.ops.lanes import (
    any_bit,
    broadcast,
    fma,
    load,
    load_inside,
    load_row,
    prefetch,
    select,
    splat,
    store,
    store_row,
    store_scalar,
    sum_lanes,
    tile,
    transpose,
)
from fastdigits.ops.variants.winograd.transforms import (
    input_of_points,
    input_points,
    kernel_of_points,
    kernel_points,
    output_of_points,
    output_points,
)


def transform_kernels(weight, u, r, s0, L, back):
    """Fill u[:, r, s0 : s0 + L] from the weights (O * C, 9).

    If back is 0, r is an input channel and s an output channel, as in the forward pass; if 1, the other way round.
    """
    K, R, S = u.shape
    rows, _ = weight.shape
    channels = rows // R  # channels s; u may be padded to more
    g, square = tile(9), tile(L)
    for q0 in range(0, 9, L):
        for l in range(L):
            s = min(s0 + l, channels - 1)
            square[l] = load_row(weight, (r * channels + s if back else s * R + r, q0), 9, L)
        transpose(square)
        for l in range(L):
            if q0 + l < 9:
                g[q0 + l] = square[l]
    half, points = tile(6, 3), tile(6)
    for q in range(3):
        half[0, q], half[1, q], half[2, q], half[3, q], half[4, q], half[5, q] = kernel_points(g[q], g[3 + q], g[6 + q])
    for p in range(6):
        points[0], points[1], points[2], points[3], points[4], points[5] = kernel_points(
            half[p, 0], half[p, 1], half[p, 2]
        )
        for q in range(6):
            store_row(u, (p * 6 + q, r, s0), S, points[q])


def transform_input(x, v, top, left, tiles_across, b, c, t0, T):
    """Fill v[:, c*T : c*T + T] from tiles t0 .. t0+T of channel c of block b."""
    B, C, H, W, L = x.shape
    for t in range(T):
        _prefetch_tile(x, top, left, tiles_across, b, c, t0 + T + t)
        h0, w0 = (t0 + t) // tiles_across * 4 - top, (t0 + t) % tiles_across * 4 - left
        d = tile(6, 6)
        if 0 <= h0 <= H - 6 and 0 <= w0 <= W - 6:
            for p in range(6):
                for q in range(6):
                    d[p, q] = load(x, (b, c, h0 + p, w0 + q))
        else:
            for p in range(6):
                for q in range(6):
                    d[p, q] = load_inside(x, (b, c, h0 + p, w0 + q), W if 0 <= h0 + p < H else 0)
        for q in range(6):
            d[0, q], d[1, q], d[2, q], d[3, q], d[4, q], d[5, q] = input_points(
                d[0, q], d[1, q], d[2, q], d[3, q], d[4, q], d[5, q]
            )
        for p in range(6):
            d[p, 0], d[p, 1], d[p, 2], d[p, 3], d[p, 4], d[p, 5] = input_points(
                d[p, 0], d[p, 1], d[p, 2], d[p, 3], d[p, 4], d[p, 5]
            )
            for q in range(6):
                store(v, (p * 6 + q, c * T + t), d[p, q])


def multiply(u, v, m, s0, k, N, T):
    """Fill m[k] with the sums over all channels r of u times v at point k, for channels s0 .. s0+N."""
    K, R, S = u.shape
    acc = tile(N, T)
    for n in range(N):
        for t in range(T):
            acc[n, t] = splat(0.0)
    for r in range(R):
        vs = tile(T)
        for t in range(T):
            vs[t] = load(v, (k, r * T + t))
        for n in range(N):
            g = broadcast(u, (k, r, min(s0 + n, S - 1)))
            for t in range(T):
                acc[n, t] = fma(vs[t], g, acc[n, t])
    for n in range(N):
        for t in range(T):
            store(m, (k, n * T + t), acc[n, t])


def store_tile(m, at, bias, pool_mask, y, b, o, i0, j0, EPILOGUE):
    """Transform the products m[:, at] of one tile to its outputs, apply EPILOGUE and store the result in y."""
    B, O, I, J, L = y.shape
    sums, half = tile(4, 4), tile(4, 6)
    for q in range(6):
        # point (1, 1) enters each output once, so the bias is added there
        m1 = load(m, (6 + q, at)) + broadcast(bias, (o,)) if q == 1 else load(m, (6 + q, at))
        half[0, q], half[1, q], half[2, q], half[3, q] = output_of_points(
            load(m, (q, at)),
            m1,
            load(m, (12 + q, at)),
            load(m, (18 + q, at)),
            load(m, (24 + q, at)),
            load(m, (30 + q, at)),
        )
    for p in range(4):
        sums[p, 0], sums[p, 1], sums[p, 2], sums[p, 3] = output_of_points(
            half[p, 0], half[p, 1], half[p, 2], half[p, 3], half[p, 4], half[p, 5]
        )
    if EPILOGUE in (RELU_MAXPOOL, RELU_AVGPOOL):
        for p in range(2):
            for q in range(2):
                if i0 // 2 + p < I and j0 // 2 + q < J:
                    window = tile(4)
                    for k in range(4):
                        window[k] = sums[2 * p + k // 2, 2 * q + k % 2]
                    store_pooled(window, y, pool_mask, (b, o, i0 // 2 + p, j0 // 2 + q), EPILOGUE == RELU_MAXPOOL)
    else:
        for p in range(4):
            for q in range(4):
                if i0 + p < I and j0 + q < J:
                    store_output(y, (b, o, i0 + p, j0 + q), sums[p, q], EPILOGUE == RELU_ONLY)


def transform_gradient(dy, pool_mask, m, biases, part, tiles_across, b, o, t0, T, EPILOGUE):
    """Fill m[:, o*T : o*T + T] with A dY A^T of tiles t0 .. t0+T of channel o, and add their sums to biases.

    dy is the gradient of the output of the epilogue. If that pools, `pool_mask` marks the pixels that receive it.
    """
    B, O, I, J, L = dy.shape
    for t in range(T):
        i0, j0 = (t0 + t) // tiles_across * 4, (t0 + t) % tiles_across * 4
        d, half = tile(4, 4), tile(6, 4)
        if EPILOGUE in (RELU_MAXPOOL, RELU_AVGPOOL):
            for p in range(2):
                for q in range(2):
                    at = (b, o, i0 // 2 + p, j0 // 2 + q)
                    inside = i0 // 2 + p < I and j0 // 2 + q < J
                    prefetch(dy, (b, o, (t0 + T + t) // tiles_across * 2 + p, (t0 + T + t) % tiles_across * 2 + q))
                    d_window = load_inside(dy, at, J if inside else 0) * splat(
                        1.0 if EPILOGUE == RELU_MAXPOOL else 0.25
                    )
                    at = at if inside else (b, o, 0, 0)
                    for k in range(4):
                        pixel = select(any_bit(pool_mask, at, 1 << k), d_window, splat(0.0))
                        d[2 * p + k // 2, 2 * q + k % 2] = pixel
        elif i0 + 4 <= I and j0 + 4 <= J:
            for p in range(4):
                for q in range(4):
                    d[p, q] = load(dy, (b, o, i0 + p, j0 + q))
        else:
            for p in range(4):
                for q in range(4):
                    d[p, q] = load_inside(dy, (b, o, i0 + p, j0 + q), J if i0 + p < I else 0)
        for q in range(4):
            half[0, q], half[1, q], half[2, q], half[3, q], half[4, q], half[5, q] = output_points(
                d[0, q], d[1, q], d[2, q], d[3, q]
            )
        points = tile(6)
        for p in range(6):
            points[0], points[1], points[2], points[3], points[4], points[5] = output_points(
                half[p, 0], half[p, 1], half[p, 2], half[p, 3]
            )
            for q in range(6):
                store(m, (p * 6 + q, o * T + t), points[q])
        # point (1, 1) is the sum of the tile
        store(biases, (part, o), load(biases, (part, o)) + load(m, (7, o * T + t)))


def rows_reached(t, tiles_across, top, H, tiles):
    """Return the number of rows of dx, at most H, to which the first t tiles add."""
    return 0 if t == 0 else H if t == tiles else min(H, (t - 1) // tiles_across * 4 - top + 6)


def rows_finished(t, tiles_across, top, H, tiles):
    """Return the number of rows of dx, at most H, to which no tile after the first t adds."""
    return H if t == tiles else max(0, min(H, t // tiles_across * 4 - top))


def clear_rows(dx, b, c, first, last):
    """Set rows first .. last of dx to zero."""
    B, C, H, W, L = dx.shape
    for h in range(first, last):
        for w in range(W):
            store(dx, (b, c, h, w), splat(0.0))


def add_input_gradient(v, at, dx, b, c, h0, w0):
    """Add the input gradient B V B^T of one tile, from the products v[:, at], to dx; tiles overlap."""
    B, C, H, W, L = dx.shape
    d = tile(6, 6)
    for q in range(6):
        d[0, q], d[1, q], d[2, q], d[3, q], d[4, q], d[5, q] = input_of_points(
            load(v, (q, at)),
            load(v, (6 + q, at)),
            load(v, (12 + q, at)),
            load(v, (18 + q, at)),
            load(v, (24 + q, at)),
            load(v, (30 + q, at)),
        )
    for p in range(6):
        d[p, 0], d[p, 1], d[p, 2], d[p, 3], d[p, 4], d[p, 5] = input_of_points(
            d[p, 0], d[p, 1], d[p, 2], d[p, 3], d[p, 4], d[p, 5]
        )
        if 0 <= h0 + p < H:
            for q in range(6):
                if 0 <= w0 + q < W:
                    at_x = (b, c, h0 + p, w0 + q)
                    store(dx, at_x, load(dx, at_x) + d[p, q])


def mask_rows(x, dx, b, c, first, last):
    """Set dx to zero in rows first .. last where x, the output of a ReLU, is not positive."""
    B, C, H, W, L = dx.shape
    for h in range(first, last):
        for w in range(W):
            at = (b, c, h, w)
            store_input_gradient(x, dx, at, load(dx, at), 1)


def add_products(r, s, sums, part, k, s0, N, T, M, L):
    """Add the products of all channels of r (36, R*T, L) and s at point k to sums[part, k, :, s0 : s0 + M*L].

    s is transposed from one channel of L images to L channels of one image, so that each sum stays in its own lane, as
    in the weight gradient of a dense layer.
    """
    parts, K, R, S = sums.shape
    channels = len(s[0]) // T
    square, rows = tile(L), tile(T, L, M)
    for t in range(T):
        for m in range(M):
            for l in range(L):
                square[l] = load(s, (k, min(s0 + m * L + l, channels - 1) * T + t))
            transpose(square)
            for l in range(L):
                rows[t, l, m] = square[l]
    for r0 in range(0, R, N):
        acc = tile(N, M)
        for n in range(N):
            for m in range(M):
                acc[n, m] = load_row(sums, (part, k, min(r0 + n, R - 1), s0 + m * L), S, L)
        for t in range(T):
            for l in range(L):
                for n in range(N):
                    v = broadcast(r, (k, min(r0 + n, R - 1) * T + t, l))
                    for m in range(M):
                        acc[n, m] = fma(rows[t, l, m], v, acc[n, m])
        for n in range(N):
            for m in range(M):
                if r0 + n < R:
                    store_row(sums, (part, k, r0 + n, s0 + m * L), S, acc[n, m])


def kernel_gradient(sums, dweight, r, s0, L, TRANSPOSED):
    """Fill dweight (O * C, 9) for channels r and s0 .. s0+L from the sums of all parts.

    If TRANSPOSED is 0, r is an input channel and s an output channel; if 1, the other way round.
    """
    parts, K, R, S = sums.shape
    rows, _ = dweight.shape
    channels = rows // R
    half, square = tile(3, 6), tile(L)
    g = tile(9)
    for q in range(6):
        column = tile(6)
        for p in range(6):
            column[p] = load_row(sums, (0, p * 6 + q, r, s0), S, L)
            for part in range(1, parts):
                column[p] = column[p] + load_row(sums, (part, p * 6 + q, r, s0), S, L)
        half[0, q], half[1, q], half[2, q] = kernel_of_points(
            column[0], column[1], column[2], column[3], column[4], column[5]
        )
    for p in range(3):
        g[3 * p], g[3 * p + 1], g[3 * p + 2] = kernel_of_points(
            half[p, 0], half[p, 1], half[p, 2], half[p, 3], half[p, 4], half[p, 5]
        )
    for q0 in range(0, 9, L):
        for l in range(L):
            square[l] = g[q0 + l] if q0 + l < 9 else splat(0.0)
        transpose(square)
        for l in range(L):
            if s0 + l < channels:
                store_row(dweight, (r * channels + s0 + l if TRANSPOSED else (s0 + l) * R + r, q0), 9, square[l])


def bias_gradient(biases, dbias, o):
    """Fill dbias[o] with the sum over all parts and lanes."""
    parts, O, L = biases.shape
    total = splat(0.0)
    for part in range(parts):
        total = total + load(biases, (part, o))
    store_scalar(dbias, (o,), sum_lanes(total))


def _prefetch_tile(x, top, left, tiles_across, b, c, t):
    """Prefetch the columns that a tile does not share with the one before it.

    Runs of four columns are too short for the hardware prefetcher.
    """
    h0, w0 = t // tiles_across * 4 - top, t % tiles_across * 4 - left
    for p in range(6):
        for q in range(2, 6):
            prefetch(x, (b, c, h0 + p, w0 + q))
