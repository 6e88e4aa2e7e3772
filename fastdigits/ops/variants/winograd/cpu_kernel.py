"""The steps of Winograd's convolution on the CPU.

Tiles of 4 x 4 outputs are numbered along the rows of an image; a row has `tiles_across` of them. The 36 points
k = 6 * row + column are the first axis of every array of transformed tiles, so that the sum over channels is one
matrix product for each k. The scratch arrays:

u (36, R, S)       transformed kernels from channels r to channels s
v (36, C * T, L)   transformed inputs of T tiles, channel c from c * T on, or their gradients
m (36, O * T, L)   products of u and v, or transformed gradients of the outputs, in the same order
"""

from fastdigits.ops.fused.epilogues import RELU_AVGPOOL, RELU_MAXPOOL, RELU_ONLY
from fastdigits.ops.fused.kernel import store_output, store_pooled
from fastdigits.ops.lanes import (
    any_bit,
    broadcast,
    fma,
    load,
    load_inside,
    load_row,
    load_span,
    select,
    splat,
    store,
    store_row,
    store_scalar,
    store_span,
    sum_lanes,
    tile,
    transpose,
)
from fastdigits.ops.variants.winograd.transforms import (
    half_input_of_points,
    half_input_points,
    half_output_of_points,
    half_output_points,
    input_of_points,
    input_points,
    kernel_of_points,
    kernel_points,
    output_of_points,
    output_points,
)


def transform_kernels(weight, u, r, s0, L, back):
    """Fill u for channel r and channels s0 .. s0+L from the weights (O * C, 9).

    If back is 0, r is an input channel and s an output channel, as in the forward pass; if 1, the other way round.
    """
    G, K, R, S = u.shape
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
            store_span(u, (s0 // S, p * 6 + q, r, s0 % S), points[q])


def count_groups(I, J, T, HALVES):
    """Return the number of groups of up to T tiles of an output of I x J pixels."""
    down, across = ((I + 1) // 4, (J + 1) // 4) if HALVES else ((I + 3) // 4, (J + 3) // 4)
    right, below = (J + 3) // 4 - across, (I + 3) // 4 - down
    return (
        (down * across + T - 1) // T + (down * right + T - 1) // T + (below * across + T - 1) // T
        + (below * right + T - 1) // T
    )


def place_tiles(places, group, I, J, HALVES):
    """Fill `places` with the first row and column of each tile of a group.

    Return the number of tiles in the group, their rows and their columns. If HALVES is 1, the last tiles of a row or
    column have only two of four outputs where the others would be outside; all tiles of a group have the same size.
    """
    T, _ = places.shape
    down, across = ((I + 1) // 4, (J + 1) // 4) if HALVES else ((I + 3) // 4, (J + 3) // 4)
    right, below = (J + 3) // 4 - across, (I + 3) // 4 - down
    i0, j0, h, w, rows, columns = 0, 0, down, across, 4, 4
    if group >= (h * w + T - 1) // T:
        group -= (h * w + T - 1) // T
        j0, w, columns = across * 4, right, 2
        if group >= (h * w + T - 1) // T:
            group -= (h * w + T - 1) // T
            i0, j0, h, w, rows, columns = down * 4, 0, below, across, 2, 4
            if group >= (h * w + T - 1) // T:
                group -= (h * w + T - 1) // T
                j0, w, columns = across * 4, right, 2
    count = min(T, h * w - group * T)
    for t in range(count):
        places[t, 0] = i0 + (group * T + t) // w * 4
        places[t, 1] = j0 + (group * T + t) % w * 4
    return count, rows, columns


def transform_inputs(x, v, places, count, rows, columns, top, left, b):
    """Fill v with the transformed inputs of a group of tiles of block b, all channels."""
    B, C, H, W, L = x.shape
    T, _ = places.shape
    for c in range(C):
        for t in range(count):
            h0, w0 = places[t, 0] - top, places[t, 1] - left
            d = tile(6, 6)
            if 0 <= h0 <= H - 6 and 0 <= w0 <= W - 6:
                for p in range(6):
                    for q in range(6):
                        d[p, q] = load(x, (b, c, h0 + p, w0 + q))
            else:
                for p in range(6):
                    for q in range(6):
                        d[p, q] = load_inside(x, (b, c, h0 + p, w0 + q), W if 0 <= h0 + p < H else 0)
            if rows == 4:
                for q in range(6):
                    d[0, q], d[1, q], d[2, q], d[3, q], d[4, q], d[5, q] = input_points(
                        d[0, q], d[1, q], d[2, q], d[3, q], d[4, q], d[5, q]
                    )
            else:
                for q in range(6):
                    d[0, q], d[1, q], d[2, q], d[5, q] = half_input_points(d[0, q], d[1, q], d[2, q], d[3, q])
            if columns == 4:
                for p in range(6):
                    d[p, 0], d[p, 1], d[p, 2], d[p, 3], d[p, 4], d[p, 5] = input_points(
                        d[p, 0], d[p, 1], d[p, 2], d[p, 3], d[p, 4], d[p, 5]
                    )
                    for q in range(6):
                        store(v, (p * 6 + q, c * T + t), d[p, q])
            else:
                for p in range(6):
                    d[p, 0], d[p, 1], d[p, 2], d[p, 5] = half_input_points(d[p, 0], d[p, 1], d[p, 2], d[p, 3])
                    for q in range(6):
                        if q not in (3, 4):
                            store(v, (p * 6 + q, c * T + t), d[p, q])


def has_point(k, rows, columns):
    """Return whether tiles of this size have point k."""
    return (rows == 4 or not 3 <= k // 6 <= 4) and (columns == 4 or not 3 <= k % 6 <= 4)


def multiply_points(u, v, m, g, channels, rows, columns, N, T):
    """Fill m with the sums over all channels of u times v, for the channels of block g of u."""
    for k in range(36):
        if has_point(k, rows, columns):
            multiply(u, v, m, g, k, 0, channels, N, T)


def multiply(u, v, m, g, k, first, channels, N, T):
    """Set m[k] to the sums over all channels r of u[g] times v at point k, from channel `first` of m on."""
    G, K, R, S = u.shape
    for s0 in range(0, channels, N):
        acc = tile(N, T)
        for n in range(N):
            for t in range(T):
                acc[n, t] = splat(0.0)
        for r in range(R):
            vs = tile(T)
            for t in range(T):
                vs[t] = load(v, (k, r * T + t))
            for n in range(N):
                w = broadcast(u, (g, k, r, min(s0 + n, channels - 1)))
                for t in range(T):
                    acc[n, t] = fma(vs[t], w, acc[n, t])
        for n in range(N):
            for t in range(T):
                store(m, (k, (first + min(s0 + n, channels - 1)) * T + t), acc[n, t])


def store_tiles(m, places, count, rows, columns, bias, pool_mask, y, b, first, last, EPILOGUE):
    """Transform the products m of a group of tiles to its outputs, apply EPILOGUE and store the result in y.

    m has the channels from `first` to `last`.
    """
    B, O, I, J, L = y.shape
    T, _ = places.shape
    for o in range(first, last):
        for t in range(count):
            i0, j0, at = places[t, 0], places[t, 1], (o - first) * T + t
            sums, half = tile(4, 4), tile(4, 6)
            if rows == 4:
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
            else:
                for q in range(6):
                    m1 = load(m, (6 + q, at)) + broadcast(bias, (o,)) if q == 1 else load(m, (6 + q, at))
                    half[0, q], half[1, q] = half_output_of_points(
                        load(m, (q, at)), m1, load(m, (12 + q, at)), load(m, (30 + q, at))
                    )
            if columns == 4:
                for p in range(4):
                    sums[p, 0], sums[p, 1], sums[p, 2], sums[p, 3] = output_of_points(
                        half[p, 0], half[p, 1], half[p, 2], half[p, 3], half[p, 4], half[p, 5]
                    )
            else:
                for p in range(4):
                    sums[p, 0], sums[p, 1] = half_output_of_points(half[p, 0], half[p, 1], half[p, 2], half[p, 5])
            if EPILOGUE in (RELU_MAXPOOL, RELU_AVGPOOL):
                for p in range(2):
                    for q in range(2):
                        if 2 * p < rows and 2 * q < columns and i0 // 2 + p < I and j0 // 2 + q < J:
                            window = tile(4)
                            for k in range(4):
                                window[k] = sums[2 * p + k // 2, 2 * q + k % 2]
                            at_y = (b, o, i0 // 2 + p, j0 // 2 + q)
                            store_pooled(window, y, pool_mask, at_y, EPILOGUE == RELU_MAXPOOL)
            else:
                for p in range(4):
                    for q in range(4):
                        if p < rows and q < columns and i0 + p < I and j0 + q < J:
                            store_output(y, (b, o, i0 + p, j0 + q), sums[p, q], EPILOGUE == RELU_ONLY)


def transform_gradients(dy, pool_mask, m, biases, places, count, rows, columns, part, b, EPILOGUE):
    """Fill m with A dY A^T of a group of tiles of block b, all channels, and add the sums of the tiles to biases.

    dy is the gradient of the output of the epilogue. If that pools, `pool_mask` marks the pixels that receive it.
    """
    B, O, I, J, L = dy.shape
    T, _ = places.shape
    for o in range(O):
        total = load(biases, (part, o))
        for t in range(count):
            i0, j0 = places[t, 0], places[t, 1]
            d, half = tile(4, 4), tile(6, 4)
            if EPILOGUE in (RELU_MAXPOOL, RELU_AVGPOOL):
                for p in range(2):
                    for q in range(2):
                        at = (b, o, i0 // 2 + p, j0 // 2 + q)
                        inside = i0 // 2 + p < I and j0 // 2 + q < J
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
            if rows == 4:
                for q in range(4):
                    half[0, q], half[1, q], half[2, q], half[3, q], half[4, q], half[5, q] = output_points(
                        d[0, q], d[1, q], d[2, q], d[3, q]
                    )
            else:
                for q in range(4):
                    half[0, q], half[1, q], half[2, q], half[5, q] = half_output_points(d[0, q], d[1, q])
            points = tile(6)
            if columns == 4:
                for p in range(6):
                    points[0], points[1], points[2], points[3], points[4], points[5] = output_points(
                        half[p, 0], half[p, 1], half[p, 2], half[p, 3]
                    )
                    for q in range(6):
                        store(m, (p * 6 + q, o * T + t), points[q])
            else:
                for p in range(6):
                    points[0], points[1], points[2], points[5] = half_output_points(half[p, 0], half[p, 1])
                    for q in range(6):
                        if q not in (3, 4):
                            store(m, (p * 6 + q, o * T + t), points[q])
            total = total + load(m, (7, o * T + t))  # point (1, 1) is the sum of the tile
        store(biases, (part, o), total)


def clear_rows(dx, b, first, last):
    """Set rows first .. last of block b of dx to zero."""
    B, C, H, W, L = dx.shape
    for c in range(C):
        for h in range(first, last):
            for w in range(W):
                store(dx, (b, c, h, w), splat(0.0))


def multiply_gradients(u, v, m, sums, part, count, rows, columns, N, T, RN, M, L, INPUTS):
    """Add the products of v and m to the sums of the weight gradient, then replace v by the sums of u times m."""
    G, K, O, S = u.shape
    channels = (len(v[0]) - 1) // T
    for k in range(36):
        if has_point(k, rows, columns):
            if INPUTS:
                add_products(m, v, sums, part, k, count, RN, T, M, L)
            else:
                add_products(v, m, sums, part, k, count, RN, T, M, L)
            for g in range(G):
                multiply(u, m, v, g, k, g * S, min(S, channels - g * S), N, T)


def add_input_gradients(v, x, dx, places, count, rows, columns, top, left, relu_input, b):
    """Add the input gradients B V B^T of a group of tiles to dx; tiles overlap."""
    B, C, H, W, L = dx.shape
    T, _ = places.shape
    for c in range(C):
        for t in range(count):
            h0, w0, at = places[t, 0] - top, places[t, 1] - left, c * T + t
            d = tile(6, 6)
            if rows == 4:
                for q in range(6):
                    d[0, q], d[1, q], d[2, q], d[3, q], d[4, q], d[5, q] = input_of_points(
                        load(v, (q, at)),
                        load(v, (6 + q, at)),
                        load(v, (12 + q, at)),
                        load(v, (18 + q, at)),
                        load(v, (24 + q, at)),
                        load(v, (30 + q, at)),
                    )
            else:
                for q in range(6):
                    d[0, q], d[1, q], d[2, q], d[3, q] = half_input_of_points(
                        load(v, (q, at)), load(v, (6 + q, at)), load(v, (12 + q, at)), load(v, (30 + q, at))
                    )
            if columns == 4:
                for p in range(6):
                    d[p, 0], d[p, 1], d[p, 2], d[p, 3], d[p, 4], d[p, 5] = input_of_points(
                        d[p, 0], d[p, 1], d[p, 2], d[p, 3], d[p, 4], d[p, 5]
                    )
            else:
                for p in range(6):
                    d[p, 0], d[p, 1], d[p, 2], d[p, 3] = half_input_of_points(d[p, 0], d[p, 1], d[p, 2], d[p, 5])
            for p in range(6):
                if p < rows + 2 and 0 <= h0 + p < H:
                    for q in range(6):
                        if q < columns + 2 and 0 <= w0 + q < W:
                            at_x = (b, c, h0 + p, w0 + q)
                            if relu_input:
                                pixel = select(splat(0.0) >= load(x, at_x), splat(0.0), d[p, q])
                                store(dx, at_x, load(dx, at_x) + pixel)
                            else:
                                store(dx, at_x, load(dx, at_x) + d[p, q])


def add_products(r, s, sums, part, k, count, N, T, M, L):
    """Add the products of all channels of r (36, R*T, L) and s at point k to sums[part, k].

    s is transposed from one channel of L images to L channels of one image, so that each sum stays in its own lane, as
    in the weight gradient of a dense layer. A row of sums has M * L channels per tile, some of them unused.
    """
    parts, K, R, S = sums.shape
    channels = (len(s[0]) - 1) // T
    square, vectors = tile(L), tile(T, L, M)
    for s0 in range(0, S, M * L):
        for t in range(count):
            for m in range(M):
                for l in range(L):
                    square[l] = load(s, (k, min(s0 + m * L + l, channels - 1) * T + t))
                transpose(square)
                for l in range(L):
                    vectors[t, l, m] = square[l]
        for r0 in range(0, R, N):
            acc = tile(N, M)
            for n in range(N):
                for m in range(M):
                    acc[n, m] = load_span(sums, (part, k, min(r0 + n, R - 1), s0 + m * L), L)
            for t in range(count):
                for l in range(L):
                    for n in range(N):
                        v = broadcast(r, (k, min(r0 + n, R - 1) * T + t, l))
                        for m in range(M):
                            acc[n, m] = fma(vectors[t, l, m], v, acc[n, m])
            for n in range(N):
                for m in range(M):
                    store_span(sums, (part, k, min(r0 + n, R - 1), s0 + m * L), acc[n, m])


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
            column[p] = load_span(sums, (0, p * 6 + q, r, s0), L)
            for part in range(1, parts):
                column[p] = column[p] + load_span(sums, (part, p * 6 + q, r, s0), L)
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
