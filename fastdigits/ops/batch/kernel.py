"""Pixels and labels of one block of a batch, and the steps of augmentation that devices share."""

from fastdigits.ops.lanes import fma, gather, lane_numbers, maximum, select, splat, sqrt, store
from fastdigits.ops.lanes.math import exp, log


def gather_pixel(images, order, start, count, scale, shift, x, b, k):
    """Fill pixel k of block b as gather_batch does."""
    B, K, L = x.shape
    pixels = gather(images, order, start + b * L, start + count - 1, k, L)
    store(x, (b, k), fma(pixels, splat(scale), splat(shift)))


def gather_labels(labels, order, start, count, targets, b):
    """Fill the targets of block b as gather_batch does."""
    B, L = targets.shape
    filled = splat(count - b * L) > lane_numbers(L)
    classes = gather(labels, order, start + b * L, start + count - 1, 0, L)
    store(targets, (b,), select(filled, classes, splat(-1.0)))


def brightness(level, factor, offset, gamma):
    """Return the brightness after a change of contrast and gamma: 255 clip(level factor + offset, 0, 1)^gamma."""
    level = fma(level, factor, offset)
    level = select(level > splat(1.0), splat(1.0), level)
    power = exp(log(maximum(level, splat(1e-30))) * gamma)
    return select(level > splat(0.0), power * splat(255.0), splat(0.0))


def normal_radius(uniform):
    """Return sqrt(-2 log(1 - uniform)) for numbers in [0, 1): the radius of Box and Muller's method."""
    return sqrt(splat(-2.0) * log(splat(1.0) - uniform))


def clamp(u, size):
    """Limit a coordinate u to -1 .. size, one pixel around the image."""
    u = maximum(splat(-1.0), u)
    return select(u > splat(size), splat(size), u)


def interpolate(upper, lower, down, right):
    """Interpolate bilinearly between two pixels of an upper row and two of a lower row."""
    above = fma(right, upper[1] - upper[0], upper[0])
    below = fma(right, lower[1] - lower[0], lower[0])
    return fma(down, below - above, above)


def fill_splines(values):
    """Fill values (KNOTS, n) with the cubic B-splines at n pixels."""
    K, n = values.shape
    for k in range(K):
        for i in range(n):
            distance = abs(i * 4 / max(n - 1, 1) + 1 - k)
            near, far = 2 / 3 - distance**2 + distance**3 / 2, max(2 - distance, 0.0) ** 3 / 6
            values[k, i] = near if distance < 1 else far
