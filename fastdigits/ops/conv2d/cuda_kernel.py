"""Convolution on a GPU, one tile at a time. Loads are saved, because a load takes as long as four multiply-adds.

A row of pixels is loaded once for all columns of the kernel.
"""

from fastdigits.ops.lanes import any_bit, broadcast, fma, load, load_inside, select, splat, store, tile


def zero_tile(acc, N, M):
    """Set all sums of a tile to zero."""
    for n in range(N):
        for r in range(2):
            for m in range(M):
                acc[n, r, m] = splat(0.0)


def share_tile(acc, sums, part, lane, N, M):
    """Copy the sums of a warp to shared memory."""
    for n in range(N):
        for r in range(2):
            for m in range(M):
                sums[part, n, r, m, lane] = acc[n, r, m]


def sum_parts(sums, n, r, m, lane, PARTS):
    """Add the sums of all warps of the block."""
    result = sums[0, n, r, m, lane]
    for part in range(1, PARTS):
        result += sums[part, n, r, m, lane]
    return result


def add_channel(x, weight, acc, b, c, o0, h0, w0, N, M, S, R, T, COLUMNS, PADDED, FLIPPED, RAGGED):
    """Add the products with channel c of x to the sums of N channels, two rows and M columns.

    acc[n, r, m] += sum_{p,q} x[b, c, h0 + r S + p, w0 + m S + q] weight[o0 + n, c, p, q], or, FLIPPED, with
    weight[c, o0 + n, P - 1 - p, Q - 1 - q]. T kernel columns q at a time use COLUMNS = (M - 1) S + T columns of x.
    R rows p at a time, at most five, are unrolled. PADDED is 0 if no pixel that is read lies outside, and RAGGED is 0
    if all channels o0 .. o0+N exist.
    """
    P, Q = weight.shape[2:]
    for p0 in range(0, P, R):  # R rows at a time: LLVM does not unroll a loop body this large
        _add_kernel_row(x, weight, acc, b, c, p0, o0, h0, w0, N, M, S, T, COLUMNS, PADDED, FLIPPED, RAGGED)
        if R > 1 and p0 + 1 < P:
            _add_kernel_row(x, weight, acc, b, c, p0 + 1, o0, h0, w0, N, M, S, T, COLUMNS, PADDED, FLIPPED, RAGGED)
        if R > 2 and p0 + 2 < P:
            _add_kernel_row(x, weight, acc, b, c, p0 + 2, o0, h0, w0, N, M, S, T, COLUMNS, PADDED, FLIPPED, RAGGED)
        if R > 3 and p0 + 3 < P:
            _add_kernel_row(x, weight, acc, b, c, p0 + 3, o0, h0, w0, N, M, S, T, COLUMNS, PADDED, FLIPPED, RAGGED)
        if R > 4 and p0 + 4 < P:
            _add_kernel_row(x, weight, acc, b, c, p0 + 4, o0, h0, w0, N, M, S, T, COLUMNS, PADDED, FLIPPED, RAGGED)


def _add_kernel_row(x, weight, acc, b, c, p, o0, h0, w0, N, M, S, T, COLUMNS, PADDED, FLIPPED, RAGGED):
    """Add the products with row p of the kernel; see add_channel."""
    P, Q = weight.shape[2:]
    for q0 in range(0, Q, T):
        xs = tile(2, COLUMNS)
        for r in range(2):
            for k in range(COLUMNS):
                xs[r, k] = pixel(x, b, c, h0 + r * S + p, w0 + q0 + k, PADDED)
        for t in range(T):
            if q0 + t < Q:
                for n in range(N):
                    v = _weight(weight, o0 + n, c, p, q0 + t, FLIPPED, RAGGED)
                    for r in range(2):
                        for m in range(M):
                            acc[n, r, m] = fma(xs[r, m * S + t], v, acc[n, r, m])


def add_row(
    x, dy, acc, b, o0, c, i, p0, q0, adds_bias, top, left, dy_top, dy_left, J, N, R, T, M, S, COLUMNS, PADDED,
    PADDED_DY,
):  # fmt: skip
    """Add row i of block b to the gradients of kernel rows p0 .. p0+R and columns q0 .. q0+T of outputs o0 .. o0+N.

    acc[n, r T + t] += sum_j d[j] x[b, c, i S + p0 + r - top, j S + q0 + t - left] over J columns j, M at a time, and
    if adds_bias, acc[n, R T] += sum_j d[j] with d[j] = dy[b, o0 + n, dy_top + i, dy_left + j]. COLUMNS = (M - 1) S + T;
    PADDED and PADDED_DY are 0 if no pixel of x and dy that is read lies outside.
    """
    B, O, I, _, L = dy.shape
    for j0 in range(0, J, M):
        ds = tile(N, M)
        for n in range(N):
            for m in range(M):
                ds[n, m] = pixel(dy, b, min(o0 + n, O - 1), dy_top + i, dy_left + j0 + m, PADDED_DY)
        if adds_bias:
            for n in range(N):
                for m in range(M):
                    acc[n, R * T] = acc[n, R * T] + ds[n, m]
        for r in range(R):
            xs = tile(COLUMNS)
            for k in range(COLUMNS):
                xs[k] = pixel(x, b, c, i * S + p0 + r - top, j0 * S + q0 - left + k, PADDED)
            for t in range(T):
                for n in range(N):
                    for m in range(M):
                        acc[n, r * T + t] = fma(xs[m * S + t], ds[n, m], acc[n, r * T + t])


def unpool_row(dy, pool_mask, dz, b, o, i, TOP, LEFT, AVERAGE):
    """Fill two rows of dz, which has TOP rows and LEFT columns of zeros before row i of dy, unpooled."""
    B, O, I, J, L = dy.shape
    for j in range(J):
        d = load(dy, (b, o, i, j))
        d = d * splat(0.25) if AVERAGE else d
        window = tile(4)
        for k in range(4):
            window[k] = select(any_bit(pool_mask, (b, o, i, j), 1 << k), d, splat(0.0))
        for k in range(4):
            store(dz, (b, o, TOP + 2 * i + k // 2, LEFT + 2 * j + k % 2), window[k])
    for r in range(2):
        zero_columns(dz, b, o, TOP + 2 * i + r, 0, LEFT)
        zero_columns(dz, b, o, TOP + 2 * i + r, LEFT + 2 * J, dz.shape[3])


def zero_columns(x, b, c, h, w0, w1):
    """Set columns w0 .. w1 of row h of channel c to zero."""
    for w in range(w0, w1):
        store(x, (b, c, h, w), splat(0.0))


def _weight(weight, o, c, p, q, FLIPPED, RAGGED):
    O, C, P, Q = weight.shape
    if RAGGED:
        o = min(o, C - 1 if FLIPPED else O - 1)
    if FLIPPED:
        return broadcast(weight, (c, o, P - 1 - p, Q - 1 - q))
    return broadcast(weight, (o, c, p, q))


def pixel(x, b, c, h, w, PADDED):
    """Load pixel h, w of channel c of block b. If PADDED is 1, the pixel may lie outside x, where it is zero."""
    B, C, H, W, L = x.shape
    if PADDED:
        return load_inside(x, (b, c, h, w), W if 0 <= h < H else 0)
    return load(x, (b, c, h, w))
