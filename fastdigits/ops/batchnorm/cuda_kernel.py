"""Batch normalization on a GPU, one warp at a time.

A warp computes pixels s0, s0 + PIXELS, .. < s1 of a channel in blocks b0, b0 + BLOCKS, .. of images.
"""

from fastdigits.ops.batchnorm.kernel import filled_lanes, gradient, normalise, store_gradient
from fastdigits.ops.lanes import fma, load, load_row, select, splat, sum_lanes


def first(warp, BLOCKS, PIXELS):
    """Return the first block of images and the first pixel of a warp of BLOCKS x PIXELS."""
    return (warp // PIXELS, warp % PIXELS) if BLOCKS > 1 else (0, warp)


def sum_pixels(x, count, c, b0, s0, s1, BLOCKS, PIXELS):
    """Return the sums of the pixels of each lane."""
    B, C, S, L = x.shape
    total = splat(0.0)
    for b in range(b0, B, BLOCKS):
        acc = splat(0.0)
        for s in range(s0, s1, PIXELS):
            acc += load(x, (b, c, s))
        total += select(filled_lanes(count, b, L), acc, splat(0.0))
    return total


def sum_squares(x, mean, count, c, b0, s0, s1, BLOCKS, PIXELS):
    """Return the sums of the squared deviations from the mean."""
    B, C, S, L = x.shape
    total = splat(0.0)
    for b in range(b0, B, BLOCKS):
        acc = splat(0.0)
        for s in range(s0, s1, PIXELS):
            d = load(x, (b, c, s)) - mean
            acc = fma(d, d, acc)
        total += select(filled_lanes(count, b, L), acc, splat(0.0))
    return total


def normalise_pixels(x, mean, scale, shift, y, c, b0, s0, s1, BLOCKS, PIXELS, RELU):
    """Fill the pixels of y; see kernel.normalise."""
    for b in range(b0, x.shape[0], BLOCKS):
        for s in range(s0, s1, PIXELS):
            normalise(x, mean, scale, shift, y, b, c, s, RELU)


def sum_gradients(x, y, dy, mean, count, c, b0, s0, s1, BLOCKS, PIXELS, RELU):
    """Return the sums of the gradients, and of their products with the deviations from the mean."""
    B, C, S, L = x.shape
    total, moment = splat(0.0), splat(0.0)
    for b in range(b0, B, BLOCKS):
        acc, products = splat(0.0), splat(0.0)
        for s in range(s0, s1, PIXELS):
            d = gradient(y, dy, b, c, s, RELU)
            acc += d
            products = fma(d, load(x, (b, c, s)) - mean, products)
        filled = filled_lanes(count, b, L)
        total += select(filled, acc, splat(0.0))
        moment += select(filled, products, splat(0.0))
    return total, moment


def store_gradients(x, y, dy, mean, scale, shift, slope, count, dx, c, b0, s0, s1, BLOCKS, PIXELS, RELU):
    """Fill the pixels of dx; see kernel.store_gradient."""
    B, C, S, L = x.shape
    for b in range(b0, B, BLOCKS):
        filled = filled_lanes(count, b, L)
        for s in range(s0, s1, PIXELS):
            store_gradient(x, y, dy, mean, scale, shift, slope, filled, dx, b, c, s, RELU)


def combine_moments(parts, c, S, PART, lane, LANES):
    """Return the mean and the variance of channel c from those of its parts of PART pixels.

    References
    ----------
    Chan, Golub and LeVeque (1983), Algorithms for computing the sample variance: analysis and recommendations. Their
    equation for two parts is applied to all parts at once, and divided by the number of samples. All parts have the
    same images, so that the weight of a part is its share of the pixels.
    """
    C, TWO, P = parts.shape
    part_mean, part_var = load_row(parts, (c, 0, 0), P, LANES), load_row(parts, (c, 1, 0), P, LANES)
    weight = splat(max(min(PART, S - lane * PART), 0)) / splat(S)  # 0 in lanes without a part
    mean = sum_lanes(weight * part_mean)
    d = part_mean - mean
    return mean, sum_lanes(weight * fma(d, d, part_var))


def store_moments(channel_mean, channel_var, bessel, momentum, running_mean, running_var, mean, var, c):
    """Store the mean and the variance of a channel, and update its running averages."""
    mean[c], var[c] = channel_mean, channel_var
    running_mean[c] += momentum * (channel_mean - running_mean[c])
    running_var[c] += momentum * (channel_var * bessel - running_var[c])
