"""The steps of Winograd's convolution on a GPU: a block of warps computes one tile of 4 x 4 pixels of N channels.

Some channels of the input are transformed at a time. Two arrays are in shared memory:

points (c, 6, 6, L)  point (p, q) of channel c at [c, q, p]
kernels (36 c, N)    point (p, q) of the kernels from channel c to the N channels at [36 c + 6 q + p]

A warp has the six points of a column q, and M of the N channels. It keeps their sums in registers, acc[p, m]. At the
end, `points` takes the sums, of which the columns are transformed: row i of channel n at [n, i, q].
"""

from fastdigits.ops.conv2d.cuda_kernel import pixel
from fastdigits.ops.lanes import broadcast, broadcast_row, fma, load, splat, store, store_scalar, tile
from fastdigits.ops.variants.winograd.transforms import (
    first_input_points,
    input_points,
    kernel_points,
    outer_input_points,
    output_of_points,
    second_input_points,
)


def transform_kernel(weight, u, g, r, n, BACK):
    """Transform the kernel from channel r of the input to channel n of group g of the result, and store it in u.

    u (groups, channels, 36, N) has point (p, q) at 6 q + p. It is zero where it has more channels than the weights. If
    BACK is 1, the input is the gradient of the output, and the kernel is turned by 180 degrees.
    """
    O, C, _, _ = weight.shape
    N = u.shape[3]
    s = g * N + n
    inside = r < (O if BACK else C) and s < (C if BACK else O)
    o, c = (min(r, O - 1), min(s, C - 1)) if BACK else (min(s, O - 1), min(r, C - 1))
    half, ws = tile(6, 3), tile(3, 3)
    for p in range(3):
        for q in range(3):
            w = broadcast(weight, (o, c, 2 - p, 2 - q) if BACK else (o, c, p, q))
            ws[p, q] = w if inside else splat(0.0)
    for q in range(3):
        half[0, q], half[1, q], half[2, q], half[3, q], half[4, q], half[5, q] = kernel_points(
            ws[0, q], ws[1, q], ws[2, q]
        )
    for p in range(6):
        u0, u1, u2, u3, u4, u5 = kernel_points(half[p, 0], half[p, 1], half[p, 2])
        store_scalar(u, (g, r, p, n), u0)
        store_scalar(u, (g, r, 6 + p, n), u1)
        store_scalar(u, (g, r, 12 + p, n), u2)
        store_scalar(u, (g, r, 18 + p, n), u3)
        store_scalar(u, (g, r, 24 + p, n), u4)
        store_scalar(u, (g, r, 30 + p, n), u5)


def share_points(x, points, b, channel, h0, w0, c, rows):
    """Transform a tile of a channel of block b of x, from pixel h0, w0 on, and store two rows of its points.

    `rows` is 0 for rows 0 and 5, 1 for rows 1 and 2, and 2 for rows 3 and 4.
    """
    _, _, H, W, _ = x.shape
    if h0 >= 0 and h0 + 6 <= H and w0 >= 0 and w0 + 6 <= W:
        _share_points(x, points, b, channel, h0, w0, c, rows, 0)
    else:
        _share_points(x, points, b, channel, h0, w0, c, rows, 1)


def _share_points(x, points, b, channel, h0, w0, c, rows, PADDED):
    d = tile(2, 6)
    if rows == 0:
        for q in range(6):
            d[0, q], d[1, q] = outer_input_points(
                pixel(x, b, channel, h0, w0 + q, PADDED),
                pixel(x, b, channel, h0 + 1, w0 + q, PADDED),
                pixel(x, b, channel, h0 + 2, w0 + q, PADDED),
                pixel(x, b, channel, h0 + 3, w0 + q, PADDED),
                pixel(x, b, channel, h0 + 4, w0 + q, PADDED),
                pixel(x, b, channel, h0 + 5, w0 + q, PADDED),
            )
        _share_row(d, 0, points, c, 0)
        _share_row(d, 1, points, c, 5)
    elif rows == 1:
        for q in range(6):
            d[0, q], d[1, q] = first_input_points(
                pixel(x, b, channel, h0 + 1, w0 + q, PADDED),
                pixel(x, b, channel, h0 + 2, w0 + q, PADDED),
                pixel(x, b, channel, h0 + 3, w0 + q, PADDED),
                pixel(x, b, channel, h0 + 4, w0 + q, PADDED),
            )
        _share_row(d, 0, points, c, 1)
        _share_row(d, 1, points, c, 2)
    else:
        for q in range(6):
            d[0, q], d[1, q] = second_input_points(
                pixel(x, b, channel, h0 + 1, w0 + q, PADDED),
                pixel(x, b, channel, h0 + 2, w0 + q, PADDED),
                pixel(x, b, channel, h0 + 3, w0 + q, PADDED),
                pixel(x, b, channel, h0 + 4, w0 + q, PADDED),
            )
        _share_row(d, 0, points, c, 3)
        _share_row(d, 1, points, c, 4)


def _share_row(d, r, points, c, p):
    v0, v1, v2, v3, v4, v5 = input_points(d[r, 0], d[r, 1], d[r, 2], d[r, 3], d[r, 4], d[r, 5])
    store(points, (c, 0, p), v0)
    store(points, (c, 1, p), v1)
    store(points, (c, 2, p), v2)
    store(points, (c, 3, p), v3)
    store(points, (c, 4, p), v4)
    store(points, (c, 5, p), v5)


def share_kernels(u, kernels, g, first, thread, THREADS, ROWS):
    """Copy rows of u[g] from `first` on; each thread copies every THREADS-th number."""
    _, N = kernels.shape
    row, n = thread // N, thread % N
    for k in range(0, ROWS, THREADS // N):
        store_scalar(kernels, (row + k, n), broadcast(u, (g, first + row + k, n)))


def add_channels(points, kernels, acc, count, q, m0, M):
    """Add the products of `count` channels at column q of points to the sums of channels m0 .. m0+M."""
    for c in range(count):  # unrolled, it would save a tenth of the instructions, but spill registers at some sizes
        for p in range(6):
            v = load(points, (c, q, p))
            ws = tile(1, M)
            broadcast_row(kernels, (c * 36 + q * 6 + p, m0), ws, 0)
            for m in range(M):
                acc[p, m] = fma(v, ws[0, m], acc[p, m])


def share_sums(acc, points, turn, part, q, M, TOGETHER):
    """Transform column q of sums TOGETHER * turn .. TOGETHER * (turn + 1) to four rows, and store them."""
    for m in range(M):
        if m // TOGETHER == turn:
            n = part * TOGETHER + m % TOGETHER
            y0, y1, y2, y3 = output_of_points(acc[0, m], acc[1, m], acc[2, m], acc[3, m], acc[4, m], acc[5, m])
            store(points, (n, 0, q), y0)
            store(points, (n, 1, q), y1)
            store(points, (n, 2, q), y2)
            store(points, (n, 3, q), y3)


def two_rows(points, sums, n, i):
    """Fill sums (2, 4) with rows i and i + 1 of the tile of channel n."""
    for r in range(2):
        sums[r, 0], sums[r, 1], sums[r, 2], sums[r, 3] = output_of_points(
            load(points, (n, i + r, 0)),
            load(points, (n, i + r, 1)),
            load(points, (n, i + r, 2)),
            load(points, (n, i + r, 3)),
            load(points, (n, i + r, 4)),
            load(points, (n, i + r, 5)),
        )
