"""Batch normalization of one pixel. RELU is 1 if a ReLU follows, else 0."""

from fastdigits.ops.lanes import fma, lane_numbers, load, maximum, select, splat, store


def normalise(x, mean, scale, shift, y, b, c, s, RELU):
    """Fill y[b, c, s] with scale (x - mean) + shift, and its ReLU if RELU is 1."""
    v = fma(load(x, (b, c, s)) - splat(mean), splat(scale), splat(shift))
    store(y, (b, c, s), maximum(splat(0.0), v) if RELU else v)


def store_gradient(x, y, dy, mean, scale, shift, slope, filled, dx, b, c, s, RELU):
    """Fill dx[b, c, s] with scale (gradient - shift + slope (x - mean)) in the filled lanes, else 0."""
    d = fma(load(x, (b, c, s)) - mean, slope, gradient(y, dy, b, c, s, RELU) - shift)
    store(dx, (b, c, s), select(filled, scale * d, splat(0.0)))


def gradient(y, dy, b, c, s, RELU):
    """Return the gradient with respect to the normalized pixel: dy[b, c, s], or 0 where the ReLU was not active."""
    d = load(dy, (b, c, s))
    return select(splat(0.0) >= load(y, (b, c, s)), splat(0.0), d) if RELU else d


def filled_lanes(count, b, L):
    """Return the mask of the lanes of block b that hold one of the `count` images."""
    return splat(count - b * L) > lane_numbers(L)
