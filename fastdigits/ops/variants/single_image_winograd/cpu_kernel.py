"""The steps of Winograd's method for one image that differ from those for L images.

With G vectors of input channels, V vectors of output channels and T tiles of 4 x 4 outputs:

padded (1, G, rows, columns, L)  the input between zeros
u (1, 36, C, V * L)              transformed kernels
v (6, G * T * 6, L)              transformed inputs, in the order of variants/winograd/cpu_kernel.py
m (6, V * T * 6, L)              products, in the same order
"""

from fastdigits.ops.lanes import broadcast, fma, load_row, load_span, store, tile, transpose
from fastdigits.ops.variants.winograd.cpu_kernel import transform_edge_input, transform_input


def pad_channels(x, padded, top, left, b, g, H, W, L):
    """Copy channels g * L .. (g + 1) * L of x (B, C, H * W) into padded."""
    B, C, _ = x.shape
    _, _, rows, columns, _ = padded.shape
    square = tile(L)
    h, w = top, left
    for k0 in range(0, H * W, L):
        for l in range(L):
            square[l] = load_row(x, (b, min(g * L + l, C - 1), k0), H * W, L)
        transpose(square)
        for l in range(L):
            if k0 + l < H * W and 0 <= h < rows and 0 <= w < columns:
                store(padded, (0, g, h, w), square[l])
            w += 1
            if w == left + W:
                h, w = h + 1, left


def place_tiles(places, I, J):
    """Fill places (T, 4) with the first row, first column, rows and columns of each tile of an output of I x J pixels.

    The last tiles of a row or column have only two of four outputs where the others would be outside. First come the
    tiles with two rows, then those with four rows and columns, then those with two columns, then the one with two of
    both: so the tiles that have a point follow each other.
    """
    down, across = (I + 1) // 4, (J + 1) // 4
    t = 0
    for part in range(4):
        below, right = part in (0, 3), part in (2, 3)
        for i in range(down if below else 0, (I + 3) // 4 if below else down):
            for j in range(across if right else 0, (J + 3) // 4 if right else across):
                places[t, 0], places[t, 1] = 4 * i, 4 * j
                places[t, 2], places[t, 3] = 2 if below else 4, 2 if right else 4
                t += 1


def tiles_with_point(p, q, I, J):
    """Return the first tile that has point (p, q), and the one after the last."""
    down, across = (I + 1) // 4, (J + 1) // 4  # tiles with four rows or four columns
    all_down, all_across = (I + 3) // 4, (J + 3) // 4
    first = (all_down - down) * across if p in (3, 4) else 0
    if q in (3, 4):
        return first, all_down * across
    return first, first + down * all_across if p in (3, 4) else all_down * all_across


def transform_tiles(padded, v, places, count, g):
    """Fill v with the transformed inputs of all tiles, channels g * L .. (g + 1) * L."""
    T, _ = places.shape
    for t in range(count):
        at_x, at = (0, g, places[t, 0], places[t, 1]), g * T + t
        if places[t, 2] == 4 and places[t, 3] == 4:
            transform_input(padded, v, at_x, at)
        else:
            transform_edge_input(padded, v, at_x, at, places[t, 2], places[t, 3])


def multiply_points(u, v, m, bias, T, I, J, N, M, L):
    """Fill m with the sums over all channels of u times v, for N tiles and M vectors of output channels at a time.

    v has the shape (6, G * T * 6 * L), so that the distance of tiles is constant. T includes N - 1 tiles that a last
    block may reach. Point (1, 1) enters each output once, so the bias is added there.
    """
    _, _, C, S = u.shape
    (O,) = bias.shape
    for p in range(6):
        for q in range(6):
            first, last = tiles_with_point(p, q, I, J)
            for s0 in range(0, S, M * L):
                for t0 in range(first, last, N):
                    acc = tile(N, M)
                    for i in range(M):
                        start = load_row(bias, (s0 + i * L,), O if p == 1 and q == 1 else 0, L)
                        for n in range(N):
                            acc[n, i] = start
                    for g in range((C + L - 1) // L):
                        for l in range(min(L, C - g * L)):
                            ws = tile(M)
                            for i in range(M):
                                ws[i] = load_span(u, (0, p * 6 + q, g * L + l, s0 + i * L), L)
                            for n in range(N):
                                x = broadcast(v, (p, ((g * T + t0 + n) * 6 + q) * L + l))
                                for i in range(M):
                                    acc[n, i] = fma(ws[i], x, acc[n, i])
                    for n in range(N):
                        for i in range(M):
                            store(m, (p, ((s0 // L + i) * T + t0 + n) * 6 + q), acc[n, i])
