"""The dense layer of one tile, written once for every device.

A tile is N rows by M columns of sums that stay in registers. Forwards and to the input, its
columns are blocks of images. For the weight gradient the lanes are needed the other way round:
not L images of one feature but L features of one image, so that each sum is one lane's own and
none has to be added across lanes. `transpose` turns them, a slab of images at a time.
"""

from fastdigits.ops.lanes import (
    broadcast,
    fma,
    load,
    put,
    splat,
    sum_lanes,
    tile,
)


def add_input(x, weight, acc, o0, b0, k, N, M):
    """What input k adds to forward_tile's sums."""
    B, K, L = x.shape
    O, K = weight.shape
    xs = tile(M)
    for m in range(M):
        xs[m] = load(x, (min(b0 + m, B - 1), k))
    for n in range(N):
        v = broadcast(weight, (min(o0 + n, O - 1), k))
        for m in range(M):
            acc[n, m] = fma(xs[m], v, acc[n, m])


def add_output(dy, weight, acc, k0, b0, o, N, M):
    """What output o adds to backward_input_tile's sums."""
    B, O, L = dy.shape
    O, K = weight.shape
    ds = tile(M)
    for m in range(M):
        ds[m] = load(dy, (min(b0 + m, B - 1), o))
    for n in range(N):
        v = broadcast(weight, (o, min(k0 + n, K - 1)))
        for m in range(M):
            acc[n, m] = fma(ds[m], v, acc[n, m])


def backward_bias(dy, dbias, o):
    """dbias[o]."""
    B, O, L = dy.shape
    total = splat(0.0)
    for b in range(B):
        total = total + load(dy, (b, o))
    put(dbias, (o,), sum_lanes(total))
