"""Single terms of the sums of a dense layer, and its bias gradient. A tile is N rows by M columns of sums."""

from fastdigits.ops.lanes import broadcast, fma, load, splat, store_scalar, sum_lanes, tile


def add_input(x, weight, acc, o0, b0, k, N, M):
    """Add the products with input k to the sums of outputs o0 .. o0+N and blocks b0 .. b0+M."""
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
    """Add the products with output o to the sums of inputs k0 .. k0+N and blocks b0 .. b0+M."""
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
    """Fill dbias[o]."""
    B, O, L = dy.shape
    total = splat(0.0)
    for b in range(B):
        total = total + load(dy, (b, o))
    store_scalar(dbias, (o,), sum_lanes(total))
