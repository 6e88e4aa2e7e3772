"""Chains on one vector or tile, written once for every device. Pooling windows are 2 x 2 pixels, 2 apart."""

from fastdigits.ops.lanes import (
    load,
    maximum,
    select,
    splat,
    store,
)


def add_relu(a, b, y, v):
    store(y, (v,), maximum(splat(0.0), load(a, (v,)) + load(b, (v,))))


def store_output(y, at, v, relu):
    """Store v, or max(0, v) if relu is 1, in y[at]."""
    store(y, at, maximum(splat(0.0), v) if relu else v)


def store_input_gradient(x, dx, at, d, relu):
    """Store d in dx[at]; if relu is 1, x is the output of a ReLU, and the gradient is 0 where x is."""
    store(dx, at, select(load(x, at) > splat(0.0), d, splat(0.0)) if relu else d)


def store_pooled(window, y, pool_mask, at, MAXIMUM):
    """Rectify and pool four pixels into y[at]; bit k of pool_mask[at] says that pixel k gets its gradient."""
    if MAXIMUM:
        best, route = window[0], splat(1.0)
        for k in range(1, 4):
            higher = window[k] > best
            best = select(higher, window[k], best)
            route = select(higher, splat(1 << k), route)
        store(y, at, maximum(splat(0.0), best))
        store(pool_mask, at, select(best > splat(0.0), route, splat(0.0)))
    else:
        total, route = splat(0.0), splat(0.0)
        for k in range(4):
            total = total + maximum(splat(0.0), window[k])
            route = route + select(window[k] > splat(0.0), splat(1 << k), splat(0.0))
        store(y, at, total * splat(0.25))
        store(pool_mask, at, route)
