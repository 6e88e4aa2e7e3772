"""The dense layer of one tile as a GPU likes it: with few loads, for it loads one vector in the time of four products.

Several products of a sum are made at a time: their weights are read four at a time, and none waits for another.
"""

from fastdigits.ops.lanes import broadcast_row, fma, load, splat, tile


def clear(acc, N, M):
    """Sums of nothing yet."""
    for n in range(N):
        for m in range(M):
            acc[n, m] = splat(0.0)


def add_inputs(x, weight, acc, o0, b0, k0, N, M, STEP):
    """What inputs k0 .. k0+STEP add to the sums of outputs o0 .. o0+N and blocks b0 .. b0+M."""
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
    """What outputs o0 .. o0+STEP add to the sums of inputs k0 .. k0+N, all of which exist, and blocks b0 .. b0+M."""
    B, O, L = dy.shape
    ws = tile(STEP, N)
    for o in range(STEP):
        broadcast_row(weight, (o0 + o, k0), ws, o)
        for m in range(M):
            d = load(dy, (min(b0 + m, B - 1), o0 + o))
            for n in range(N):
                acc[n, m] = fma(d, ws[o, n], acc[n, m])


def share(acc, sums, part, lane, N, M):
    """Show a warp's sums to the others of its block, in shared memory."""
    for n in range(N):
        for m in range(M):
            sums[part, n, m, lane] = acc[n, m]


def total(sums, n, m, lane, PARTS):
    """The sum of what all warps of the block have summed."""
    result = sums[0, n, m, lane]
    for part in range(1, PARTS):
        result += sums[part, n, m, lane]
    return result
