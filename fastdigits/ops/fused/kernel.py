"""Final steps of a tile: ReLU, pooling over 2 x 2 pixels, and the mask of an input gradient."""

from fastdigits.ops.lanes import exceeds, load, maximum, select, splat, store


def add_relu(a, b, y, v):
    store(y, (v,), maximum(splat(0.0), load(a, (v,)) + load(b, (v,))))


def store_output(y, at, v, relu):
    """Store v in y[at], or max(0, v) if relu is 1."""
    store(y, at, maximum(splat(0.0), v) if relu else v)


def store_input_gradient(x, dx, at, d, relu_input):
    """Store d in dx[at]; if relu_input is 1, x is the output of a ReLU, and the gradient is 0 where x is."""
    store(dx, at, select(splat(0.0) >= load(x, at), splat(0.0), d) if relu_input else d)


def store_pooled(window, y, pool_mask, at, MAXIMUM):
    """Store ReLU and pooling of four pixels in y[at], and in pool_mask[at] unless it is empty."""
    store_window(window, y, pool_mask, at, MAXIMUM, pool_mask.shape[0] > 0)


def store_window(window, y, pool_mask, at, MAXIMUM, MASKED):
    """Store ReLU and pooling of four pixels in y[at].

    If MASKED is 1, set bit k of pool_mask[at] if pixel k gets a gradient.
    """
    if MAXIMUM:
        best, bits = window[0], splat(1.0)
        for k in range(1, 4):
            higher = exceeds(window[k], best)
            best = select(higher, window[k], best)
            bits = select(higher, splat(1 << k), bits)
        store(y, at, maximum(splat(0.0), best))
        if MASKED:
            store(pool_mask, at, select(splat(0.0) >= best, splat(0.0), bits))
    else:
        total, bits = splat(0.0), splat(0.0)
        for k in range(4):
            total = total + maximum(splat(0.0), window[k])
            bits = bits + select(splat(0.0) >= window[k], splat(0.0), splat(1 << k))
        store(y, at, total * splat(0.25))
        if MASKED:
            store(pool_mask, at, bits)
