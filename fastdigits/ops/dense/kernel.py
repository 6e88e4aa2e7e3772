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
    load_row,
    maximum,
    put,
    select,
    splat,
    store,
    store_row,
    sum_lanes,
    tile,
    transpose,
)


def forward_tile(x, weight, bias, y, o0, b0, N, M, relu):
    """dense_forward for outputs o0 .. o0+N and blocks b0 .. b0+M; relu: 1 rectifies, 0 does not."""
    B, K, L = x.shape
    O, K = weight.shape
    acc = tile(N, M)
    for n in range(N):
        for m in range(M):
            acc[n, m] = broadcast(bias, (min(o0 + n, O - 1),))
    for k in range(K):
        add_input(x, weight, acc, o0, b0, k, N, M)
    for n in range(N):
        for m in range(M):
            if o0 + n < O and b0 + m < B:
                store(y, (b0 + m, o0 + n), maximum(splat(0.0), acc[n, m]) if relu else acc[n, m])


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


def backward_input_tile(dy, weight, x, dx, k0, b0, N, M, relu):
    """dense_backward_input for inputs k0 .. k0+N and blocks b0 .. b0+M.

    relu: 1 leaves out where x, then the output of a ReLU, is not positive; 0 does not read x.
    """
    B, O, L = dy.shape
    O, K = weight.shape
    acc = tile(N, M)
    for n in range(N):
        for m in range(M):
            acc[n, m] = splat(0.0)
    for o in range(O):
        add_output(dy, weight, acc, k0, b0, o, N, M)
    for n in range(N):
        for m in range(M):
            if k0 + n < K and b0 + m < B:
                at = (b0 + m, k0 + n)
                store(dx, at, select(load(x, at) > splat(0.0), acc[n, m], splat(0.0)) if relu else acc[n, m])


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


def backward_weight_columns(x, dy, dweight, k0, N, M, S, L):
    """dense_backward_weight for the M * L inputs from k0 on, by slabs of S blocks."""
    B, K, _ = x.shape
    O, K = dweight.shape
    square, rows = tile(L), tile(S, L, M)
    for b0 in range(0, B, S):
        slab = min(S, B - b0)
        for s in range(slab):
            for m in range(M):
                for k in range(L):
                    square[k] = load(x, (b0 + s, min(k0 + m * L + k, K - 1)))
                transpose(square)
                for l in range(L):
                    rows[s, l, m] = square[l]
        for o0 in range(0, O, N):
            acc = tile(N, M)
            for n in range(N):
                for m in range(M):
                    at = (min(o0 + n, O - 1), k0 + m * L)
                    acc[n, m] = load_row(dweight, at, K if b0 > 0 else 0, L)
            for s in range(slab):
                for l in range(L):
                    for n in range(N):
                        d = broadcast(dy, (b0 + s, min(o0 + n, O - 1), l))
                        for m in range(M):
                            acc[n, m] = fma(rows[s, l, m], d, acc[n, m])
            for n in range(N):
                for m in range(M):
                    if o0 + n < O:
                        store_row(dweight, (o0 + n, k0 + m * L), K, acc[n, m])


def backward_bias(dy, dbias, o):
    """dbias[o]."""
    B, O, L = dy.shape
    total = splat(0.0)
    for b in range(B):
        total = total + load(dy, (b, o))
    put(dbias, (o,), sum_lanes(total))
