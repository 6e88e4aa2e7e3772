"""The steps of Winograd's convolution on the CPU.

A group of up to T tiles is transformed and multiplied at a time. Its tiles have 4 x 4 outputs each, with 6 x 6 points
(p, q), or all have two rows or columns of outputs, without points 3 and 4 of that side (see transforms.py). For each
point, the sum over channels is a matrix product. The scratch arrays:

u (G, 36, R, S)     transformed kernels from channels r to channels s, in G blocks of BLOCK channels s
v (6, C * T * 6, L) transformed inputs, or their gradients: point (p, q) of channel c and tile t at [p, (c*T + t)*6 + q]
m (6, O * T * 6, L) products of u and v, or transformed gradients of the outputs, in the same order

So the six points of a row are stored side by side, and all channels of a point are near each other.
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


def transform_kernels(weight, u, r, s0, BLOCK, L, back):
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
            store_span(u, (s0 // BLOCK, p * 6 + q, r, s0 % BLOCK), points[q])


def count_groups(I, J, T, HALVES):
    """Return the number of groups of up to T tiles of an output of I x J pixels."""
    down, across = ((I + 1) // 4, (J + 1) // 4) if HALVES else ((I + 3) // 4, (J + 3) // 4)
    right, below = (J + 3) // 4 - across, (I + 3) // 4 - down
    return (
        (down * across + T - 1) // T
        + (down * right + T - 1) // T
        + (below * across + T - 1) // T
        + (below * right + T - 1) // T
    )


def place_tiles(places, group, I, J, HALVES):
    """Fill `places` (T, 4) with the first row, first column, rows and columns of each tile of a group.

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
        places[t, 2], places[t, 3] = rows, columns
    return count, rows, columns


def transform_inputs(x, v, patches, places, count, rows, columns, top, left, b):
    """Fill v with the transformed inputs of a group of tiles of block b, all channels.

    `patches` (1, T, 6, 6, L) is scratch for tiles at the edge.
    """
    B, C, H, W, L = x.shape
    T, _ = places.shape
    for t in range(count):
        for p in range(6):
            for q in range(6):
                store(patches, (0, t, p, q), splat(0.0))
    whole = rows == 4 and columns == 4
    for c in range(C):
        for t in range(count, T):  # multiplied, but not used
            for p in range(6):
                for q in range(6):
                    store(v, (p, (c * T + t) * 6 + q), splat(0.0))
        for t in range(count):
            h0, w0 = places[t, 0] - top, places[t, 1] - left
            if whole and 0 <= h0 <= H - 6 and 0 <= w0 <= W - 6:
                transform_input(x, v, (b, c, h0, w0), c * T + t)
            else:
                for p in range(max(0, -h0), min(6, H - h0)):
                    for q in range(6):
                        store(patches, (0, t, p, q), load_inside(x, (b, c, h0 + p, w0 + q), W))
                transform_edge_input(patches, v, (0, t, 0, 0), c * T + t, rows, columns)


def transform_input(x, v, at_x, at):
    """Fill v at `at` with the transformed 6 x 6 pixels of x from at_x on."""
    b, c, h0, w0 = at_x
    d = tile(6, 6)
    for q in range(6):
        for p in range(6):
            d[p, q] = load(x, (b, c, h0 + p, w0 + q))
        d[0, q], d[1, q], d[2, q], d[3, q], d[4, q], d[5, q] = input_points(
            d[0, q], d[1, q], d[2, q], d[3, q], d[4, q], d[5, q]
        )
    for p in range(6):
        d[p, 0], d[p, 1], d[p, 2], d[p, 3], d[p, 4], d[p, 5] = input_points(
            d[p, 0], d[p, 1], d[p, 2], d[p, 3], d[p, 4], d[p, 5]
        )
        for q in range(6):
            store(v, (p, at * 6 + q), d[p, q])


def transform_edge_input(x, v, at_x, at, rows, columns):
    """Fill v at `at` with the transformed pixels of x from at_x on, for a tile of rows x columns outputs."""
    b, c, h0, w0 = at_x
    d = tile(6, 6)
    for p in range(6):
        for q in range(6):
            d[p, q] = load(x, (b, c, h0 + p, w0 + q))
    for q in range(6):
        if rows == 4:
            d[0, q], d[1, q], d[2, q], d[3, q], d[4, q], d[5, q] = input_points(
                d[0, q], d[1, q], d[2, q], d[3, q], d[4, q], d[5, q]
            )
        else:
            d[0, q], d[1, q], d[2, q], d[5, q] = half_input_points(d[0, q], d[1, q], d[2, q], d[3, q])
    for p in range(6):
        if not has_point(p, 0, rows, columns):
            continue
        if columns == 4:
            d[p, 0], d[p, 1], d[p, 2], d[p, 3], d[p, 4], d[p, 5] = input_points(
                d[p, 0], d[p, 1], d[p, 2], d[p, 3], d[p, 4], d[p, 5]
            )
        else:
            d[p, 0], d[p, 1], d[p, 2], d[p, 5] = half_input_points(d[p, 0], d[p, 1], d[p, 2], d[p, 3])
        for q in range(6):
            if has_point(p, q, rows, columns):
                store(v, (p, at * 6 + q), d[p, q])


def has_point(p, q, rows, columns):
    """Return whether tiles of this size have point (p, q)."""
    return (rows == 4 or p < 3 or p > 4) and (columns == 4 or q < 3 or q > 4)


def multiply_points(u, v, m, g, channels, rows, columns, N, T):
    """Fill m with the sums over all channels of u times v, for the channels of block g of u."""
    for p in range(6):
        for q in range(6):
            if has_point(p, q, rows, columns):
                multiply(u, v, m, g, p, q, 0, channels, N, T)


def multiply(u, v, m, g, p, q, first, channels, N, T):
    """Set m to the sums over all channels r of u[g] times v at point (p, q), from channel `first` of m on."""
    G, K, R, S = u.shape
    k = p * 6 + q
    for s0 in range(0, channels, N):
        acc = tile(N, T)
        for n in range(N):
            for t in range(T):
                acc[n, t] = splat(0.0)
        for r in range(R):
            vs = tile(T)
            for t in range(T):
                vs[t] = load(v, (p, (r * T + t) * 6 + q))
            for n in range(N):
                w = broadcast(u, (g, k, r, s0 + n))
                for t in range(T):
                    acc[n, t] = fma(vs[t], w, acc[n, t])
        for n in range(N):
            for t in range(T):
                store(m, (p, ((first + s0 + n) * T + t) * 6 + q), acc[n, t])


def store_tiles(m, places, count, bias, pool_mask, y, b, first, last, EPILOGUE):
    """Transform the products m of a group of tiles to its outputs, apply EPILOGUE and store the result in y.

    m has the channels from `first` to `last`.
    """
    B, O, I, J, L = y.shape
    T, _ = places.shape
    POOL = 2 if EPILOGUE in (RELU_MAXPOOL, RELU_AVGPOOL) else 1
    for o in range(first, last):
        for t in range(count):
            i0, j0, at = places[t, 0] // POOL, places[t, 1] // POOL, (o - first) * T + t
            rows, columns = places[t, 2], places[t, 3]
            if rows == 4 and columns == 4 and i0 + 4 // POOL <= I and j0 + 4 // POOL <= J:
                sums = tile(4, 4)
                _whole_outputs(m, at, bias, o, sums)
                _store_outputs(sums, y, pool_mask, (b, o, i0, j0), 4 // POOL, 4 // POOL, EPILOGUE)
            else:
                sums = tile(4, 4)
                _edge_outputs(m, at, bias, o, sums, rows, columns)
                h, w = min(rows // POOL, I - i0), min(columns // POOL, J - j0)
                _store_outputs(sums, y, pool_mask, (b, o, i0, j0), h, w, EPILOGUE)


def _whole_outputs(m, at, bias, o, sums):
    half = tile(4, 6)
    for q in range(6):
        half[0, q], half[1, q], half[2, q], half[3, q] = output_of_points(
            load(m, (0, at * 6 + q)),
            _second_point(m, q, at, bias, o),
            load(m, (2, at * 6 + q)),
            load(m, (3, at * 6 + q)),
            load(m, (4, at * 6 + q)),
            load(m, (5, at * 6 + q)),
        )
    for p in range(4):
        sums[p, 0], sums[p, 1], sums[p, 2], sums[p, 3] = output_of_points(
            half[p, 0], half[p, 1], half[p, 2], half[p, 3], half[p, 4], half[p, 5]
        )


def _edge_outputs(m, at, bias, o, sums, rows, columns):
    half = tile(4, 6)
    for q in range(6):
        if not has_point(0, q, rows, columns):
            continue
        if rows == 4:
            half[0, q], half[1, q], half[2, q], half[3, q] = output_of_points(
                load(m, (0, at * 6 + q)),
                _second_point(m, q, at, bias, o),
                load(m, (2, at * 6 + q)),
                load(m, (3, at * 6 + q)),
                load(m, (4, at * 6 + q)),
                load(m, (5, at * 6 + q)),
            )
        else:
            half[0, q], half[1, q] = half_output_of_points(
                load(m, (0, at * 6 + q)),
                _second_point(m, q, at, bias, o),
                load(m, (2, at * 6 + q)),
                load(m, (5, at * 6 + q)),
            )
    for p in range(4):
        if p < rows and columns == 4:
            sums[p, 0], sums[p, 1], sums[p, 2], sums[p, 3] = output_of_points(
                half[p, 0], half[p, 1], half[p, 2], half[p, 3], half[p, 4], half[p, 5]
            )
        elif p < rows:
            sums[p, 0], sums[p, 1] = half_output_of_points(half[p, 0], half[p, 1], half[p, 2], half[p, 5])


def _second_point(m, q, at, bias, o):
    """Return point (1, q). Point (1, 1) enters each output once, so the bias is added there."""
    return load(m, (1, at * 6 + q)) + broadcast(bias, (o,)) if q == 1 else load(m, (1, at * 6 + q))


def _store_outputs(sums, y, pool_mask, at, h, w, EPILOGUE):
    """Store the first h x w outputs of a tile."""
    b, o, i0, j0 = at
    if EPILOGUE in (RELU_MAXPOOL, RELU_AVGPOOL):
        for p in range(2):
            for q in range(2):
                if p < h and q < w:
                    window = tile(4)
                    for k in range(4):
                        window[k] = sums[2 * p + k // 2, 2 * q + k % 2]
                    store_pooled(window, y, pool_mask, (b, o, i0 + p, j0 + q), EPILOGUE == RELU_MAXPOOL)
    else:
        for p in range(4):
            for q in range(4):
                if p < h and q < w:
                    store_output(y, (b, o, i0 + p, j0 + q), sums[p, q], EPILOGUE == RELU_ONLY)


def transform_gradients(dy, pool_mask, m, biases, places, count, rows, columns, part, b, EPILOGUE):
    """Fill m with A dY A^T of a group of tiles of block b, all channels, and add the sums of the tiles to biases.

    dy is the gradient of the output of the epilogue. If that pools, `pool_mask` marks the pixels that receive it.
    """
    B, O, I, J, L = dy.shape
    T, _ = places.shape
    POOL = 2 if EPILOGUE in (RELU_MAXPOOL, RELU_AVGPOOL) else 1
    for o in range(O):
        total = load(biases, (part, o))
        for t in range(count):
            i0, j0, at = places[t, 0] // POOL, places[t, 1] // POOL, o * T + t
            if rows == 4 and columns == 4 and i0 + 4 // POOL <= I and j0 + 4 // POOL <= J:
                d = tile(4, 4)
                _load_gradient(dy, pool_mask, (b, o, i0, j0), d, EPILOGUE, 1)
                _transform_whole_gradient(d, m, at)
            else:
                d = tile(4, 4)
                _load_gradient(dy, pool_mask, (b, o, i0, j0), d, EPILOGUE, 0)
                _transform_edge_gradient(d, m, at, rows, columns)
            total = total + load(m, (1, at * 6 + 1))  # point (1, 1) is the sum of the tile
        store(biases, (part, o), total)


def _load_gradient(dy, pool_mask, at, d, EPILOGUE, INSIDE):
    """Fill d with the gradient of a tile before the epilogue; zeros beyond the edge, where INSIDE is 0."""
    B, O, I, J, L = dy.shape
    b, o, i0, j0 = at
    if EPILOGUE in (RELU_MAXPOOL, RELU_AVGPOOL):
        for p in range(2):
            for q in range(2):
                at_dy = (b, o, i0 + p, j0 + q)
                inside = INSIDE or (i0 + p < I and j0 + q < J)
                window = load(dy, at_dy) if INSIDE else load_inside(dy, at_dy, J if inside else 0)
                at_mask = at_dy if inside else (b, o, 0, 0)
                for k in range(4):
                    d[2 * p + k // 2, 2 * q + k % 2] = select(
                        any_bit(pool_mask, at_mask, 1 << k),
                        window if EPILOGUE == RELU_MAXPOOL else window * splat(0.25),
                        splat(0.0),
                    )
    else:
        for p in range(4):
            for q in range(4):
                at_dy = (b, o, i0 + p, j0 + q)
                d[p, q] = load(dy, at_dy) if INSIDE else load_inside(dy, at_dy, J if i0 + p < I else 0)


def _transform_whole_gradient(d, m, at):
    half, points = tile(6, 4), tile(6)
    for q in range(4):
        half[0, q], half[1, q], half[2, q], half[3, q], half[4, q], half[5, q] = output_points(
            d[0, q], d[1, q], d[2, q], d[3, q]
        )
    for p in range(6):
        points[0], points[1], points[2], points[3], points[4], points[5] = output_points(
            half[p, 0], half[p, 1], half[p, 2], half[p, 3]
        )
        for q in range(6):
            store(m, (p, at * 6 + q), points[q])


def _transform_edge_gradient(d, m, at, rows, columns):
    half, points = tile(6, 4), tile(6)
    for q in range(4):
        if rows == 4:
            half[0, q], half[1, q], half[2, q], half[3, q], half[4, q], half[5, q] = output_points(
                d[0, q], d[1, q], d[2, q], d[3, q]
            )
        else:
            half[0, q], half[1, q], half[2, q], half[5, q] = half_output_points(d[0, q], d[1, q])
    for p in range(6):
        if not has_point(p, 0, rows, columns):
            continue
        if columns == 4:
            points[0], points[1], points[2], points[3], points[4], points[5] = output_points(
                half[p, 0], half[p, 1], half[p, 2], half[p, 3]
            )
        else:
            points[0], points[1], points[2], points[5] = half_output_points(half[p, 0], half[p, 1])
        for q in range(6):
            if has_point(p, q, rows, columns):
                store(m, (p, at * 6 + q), points[q])


def clear_rows(dx, b, first, last):
    """Set rows first .. last of block b of dx to zero."""
    B, C, H, W, L = dx.shape
    for c in range(C):
        for h in range(first, last):
            for w in range(W):
                store(dx, (b, c, h, w), splat(0.0))


def multiply_gradients(u, v, m, sums, count, rows, columns, C, O, BLOCK, N, T, RN, M, L, INPUTS):
    """Add the products of v and m to the sums of the weight gradient, then replace v by the sums of u times m."""
    for p in range(6):
        for q in range(6):
            if has_point(p, q, rows, columns):
                if INPUTS:
                    add_products(m, v, sums, p, q, count, O, C, RN, T, M, L)
                else:
                    add_products(v, m, sums, p, q, count, C, O, RN, T, M, L)
                for c0 in range(0, C, BLOCK):
                    multiply(u, m, v, c0 // BLOCK, p, q, c0, min(BLOCK, C - c0), N, T)


def add_input_gradients(v, x, dx, patches, places, count, rows, columns, top, left, relu_input, b):
    """Add the input gradients B V B^T of a group of tiles to dx; tiles overlap.

    If relu_input is 1, x is the output of a ReLU, and the gradient is 0 where x is.
    """
    B, C, H, W, L = dx.shape
    T, _ = places.shape
    whole = rows == 4 and columns == 4
    for c in range(C):
        for t in range(count):
            h0, w0 = places[t, 0] - top, places[t, 1] - left
            d = tile(6, 6)
            if whole and 0 <= h0 <= H - 6 and 0 <= w0 <= W - 6:
                _input_gradient(v, c * T + t, d)
                for p in range(6):
                    for q in range(6):
                        _add_gradient(d[p, q], x, dx, (b, c, h0 + p, w0 + q), relu_input)
            else:
                _edge_input_gradient(v, c * T + t, d, rows, columns)
                for p in range(6):
                    for q in range(6):
                        if p < rows + 2 and q < columns + 2:
                            store(patches, (0, t, p, q), d[p, q])
                for p in range(max(0, -h0), min(rows + 2, H - h0)):
                    for q in range(max(0, -w0), min(columns + 2, W - w0)):
                        _add_gradient(load(patches, (0, t, p, q)), x, dx, (b, c, h0 + p, w0 + q), relu_input)


def _add_gradient(d, x, dx, at, relu_input):
    store(dx, at, load(dx, at) + (select(splat(0.0) >= load(x, at), splat(0.0), d) if relu_input else d))


def _input_gradient(v, at, d):
    for q in range(6):
        d[0, q], d[1, q], d[2, q], d[3, q], d[4, q], d[5, q] = input_of_points(
            load(v, (0, at * 6 + q)),
            load(v, (1, at * 6 + q)),
            load(v, (2, at * 6 + q)),
            load(v, (3, at * 6 + q)),
            load(v, (4, at * 6 + q)),
            load(v, (5, at * 6 + q)),
        )
    for p in range(6):
        d[p, 0], d[p, 1], d[p, 2], d[p, 3], d[p, 4], d[p, 5] = input_of_points(
            d[p, 0], d[p, 1], d[p, 2], d[p, 3], d[p, 4], d[p, 5]
        )


def _edge_input_gradient(v, at, d, rows, columns):
    for q in range(6):
        if not has_point(0, q, rows, columns):
            continue
        if rows == 4:
            d[0, q], d[1, q], d[2, q], d[3, q], d[4, q], d[5, q] = input_of_points(
                load(v, (0, at * 6 + q)),
                load(v, (1, at * 6 + q)),
                load(v, (2, at * 6 + q)),
                load(v, (3, at * 6 + q)),
                load(v, (4, at * 6 + q)),
                load(v, (5, at * 6 + q)),
            )
        else:
            d[0, q], d[1, q], d[2, q], d[3, q] = half_input_of_points(
                load(v, (0, at * 6 + q)), load(v, (1, at * 6 + q)), load(v, (2, at * 6 + q)), load(v, (5, at * 6 + q))
            )
    for p in range(6):
        if p < rows + 2 and columns == 4:
            d[p, 0], d[p, 1], d[p, 2], d[p, 3], d[p, 4], d[p, 5] = input_of_points(
                d[p, 0], d[p, 1], d[p, 2], d[p, 3], d[p, 4], d[p, 5]
            )
        elif p < rows + 2:
            d[p, 0], d[p, 1], d[p, 2], d[p, 3] = half_input_of_points(d[p, 0], d[p, 1], d[p, 2], d[p, 5])


def add_products(r, s, sums, p, q, count, rows, channels, N, T, M, L):
    """Add the products of the channels of r and s at point (p, q) to sums.

    s is transposed from one channel of L images to L channels of one image, so that each sum stays in its own lane, as
    in the weight gradient of a dense layer. Tiles of N x M * L sums go beyond the last channels of r and s.
    """
    K, R, S = sums.shape
    k = p * 6 + q
    square, vectors = tile(L), tile(T, L, M)
    for s0 in range(0, S, M * L):
        for t in range(count):
            for m in range(M):
                for l in range(L):
                    square[l] = load(s, (p, (min(s0 + m * L + l, channels - 1) * T + t) * 6 + q))
                transpose(square)
                for l in range(L):
                    vectors[t, l, m] = square[l]
        for r0 in range(0, rows, N):
            acc = tile(N, M)
            for n in range(N):
                for m in range(M):
                    acc[n, m] = load_span(sums, (k, r0 + n, s0 + m * L), L)
            for t in range(count):
                for l in range(L):
                    for n in range(N):
                        v = broadcast(r, (p, ((r0 + n) * T + t) * 6 + q, l))
                        for m in range(M):
                            acc[n, m] = fma(vectors[t, l, m], v, acc[n, m])
            for n in range(N):
                for m in range(M):
                    store_span(sums, (k, r0 + n, s0 + m * L), acc[n, m])


def transform_sums(sums, kernels, part, L):
    """Fill kernels[part] with the sums of a part of the batch, transformed to the weights of 3 x 3 pixels."""
    parts, R, K, S = kernels.shape
    for r in range(R):
        for s0 in range(0, S, L):
            half = tile(3, 6)
            for q in range(6):
                half[0, q], half[1, q], half[2, q] = kernel_of_points(
                    load_span(sums, (q, r, s0), L),
                    load_span(sums, (6 + q, r, s0), L),
                    load_span(sums, (12 + q, r, s0), L),
                    load_span(sums, (18 + q, r, s0), L),
                    load_span(sums, (24 + q, r, s0), L),
                    load_span(sums, (30 + q, r, s0), L),
                )
            for p in range(3):
                g = tile(3)
                g[0], g[1], g[2] = kernel_of_points(
                    half[p, 0], half[p, 1], half[p, 2], half[p, 3], half[p, 4], half[p, 5]
                )
                for q in range(3):
                    store_span(kernels, (part, r, p * 3 + q, s0), g[q])


def kernel_gradient(kernels, dweight, r, s0, L, TRANSPOSED):
    """Fill dweight (O * C, 9) for channels r and s0 .. s0+L with the sums of all parts.

    If TRANSPOSED is 0, r is an input channel and s an output channel; if 1, the other way round.
    """
    parts, R, K, S = kernels.shape
    rows, _ = dweight.shape
    channels = rows // R
    g, square = tile(9), tile(L)
    for k in range(9):
        g[k] = load_span(kernels, (0, r, k, s0), L)
        for part in range(1, parts):
            g[k] = g[k] + load_span(kernels, (part, r, k, s0), L)
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
