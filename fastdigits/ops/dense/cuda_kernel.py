"""The dense layer on a GPU, one tile at a time. Loads are saved, because a load takes as long as four multiply-adds.

Each step adds several terms of a sum, so that weights are loaded four at a time.
"""

from fastdigits.ops.lanes import broadcast_row, fma, load, splat, tile


def zero_tile(acc, N, M):
    """Set all sums of a tile to zero."""
    for n in range(N):
        for m in range(M):
            acc[n, m] = splat(0.0)


def add_inputs(x, weight, acc, o0, b0, k0, N, M, STEP):
    """Add the products with inputs k0 .. k0+STEP to the sums of outputs o0 .. o0+N and blocks b0 .. b0+M."""
    B, K, L = x.shape
    O, K = weight.shape
    ws = tile(N, STEP)
    for n in range(N):
        broadcast_row(weight, (min(o0 + n, O - 1), k0), ws, n)
    for k in range(STEP):
        for m in range(M):
            v = load(x, (min(b0 + m, B - 1), k0 + k))
            for n in range(N):
                acc[n, m] = fma(v, ws[n, k], acc[n, m])


def add_outputs(dy, weight, acc, k0, b0, o0, N, M, STEP):
    """Add the products with outputs o0 .. o0+STEP to the sums of inputs k0 .. k0+N and blocks b0 .. b0+M."""
    B, O, L = dy.shape
    ws = tile(STEP, N)
    for o in range(STEP):
        broadcast_row(weight, (o0 + o, k0), ws, o)
        for m in range(M):
            d = load(dy, (min(b0 + m, B - 1), o0 + o))
            for n in range(N):
                acc[n, m] = fma(d, ws[o, n], acc[n, m])


def share_inputs(x, inputs, b, k0, part, lane, LANES):
    """Copy inputs k0 .. k0+LANES of block b to shared memory, as rows of images."""
    B, K, L = x.shape
    for r in range(LANES):
        inputs[part, lane, r] = load(x, (b, k0 + r if K % LANES == 0 else min(k0 + r, K - 1)))


def add_images(inputs, dy, acc, b, o0, part, lane, N, LANES, RAGGED):
    """Add the products of the images of block b to the sums of outputs o0 .. o0+N. Each lane has an input.

    RAGGED is 0 if all these outputs exist.
    """
    B, O, L = dy.shape
    for l in range(0, LANES, 4):
        ds = tile(N, 4)
        for n in range(N):
            broadcast_row(dy, (b, min(o0 + n, O - 1) if RAGGED else o0 + n, l), ds, n)
        for q in range(4):
            v = inputs[part, l + q, lane]
            for n in range(N):
                acc[n] = fma(v, ds[n, q], acc[n])


def share_tile(acc, sums, part, lane, N, M):
    """Copy the sums of a warp to shared memory."""
    for n in range(N):
        for m in range(M):
            sums[part, n, m, lane] = acc[n, m]


def sum_parts(sums, n, m, lane, PARTS):
    """Add the sums of all warps of the block."""
    result = sums[0, n, m, lane]
    for part in range(1, PARTS):
        result += sums[part, n, m, lane]
    return result
