"""Batch normalization of one channel on the CPU.

Four sums run side by side, because each addition would otherwise wait for the one before it.
"""

from fastdigits.ops.batchnorm.kernel import filled_lanes, gradient, normalise, store_gradient
from fastdigits.ops.lanes import fma, load, select, splat, store_scalar, sum_lanes, tile


def forward_channel(x, gamma, beta, count, epsilon, momentum, running_mean, running_var, mean, var, y, c, RELU):
    """Normalize channel c of all images; see batchnorm_forward."""
    B, C, S, L = x.shape
    n = count * S
    store_scalar(mean, (c,), _sum_channel(x, count, c) / n)
    store_scalar(var, (c,), _sum_squares(x, mean[c], count, c) / n)
    store_scalar(running_mean, (c,), running_mean[c] + momentum * (mean[c] - running_mean[c]))
    store_scalar(running_var, (c,), running_var[c] + momentum * (var[c] * n / max(n - 1, 1) - running_var[c]))
    scale = gamma[c] * (var[c] + epsilon) ** -0.5
    for b in range(B):
        normalise_plane(x, mean[c], scale, beta[c], y, b, c, RELU)


def normalise_plane(x, mean, scale, shift, y, b, c, RELU):
    """Normalize channel c of block b, with scale = gamma (var + epsilon)^-1/2."""
    B, C, S, L = x.shape
    for s in range(S):
        normalise(x, mean, scale, shift, y, b, c, s, RELU)


def backward_channel(x, y, dy, gamma, mean, var, count, epsilon, dgamma, dbeta, dx, c, RELU):
    """Fill the gradients of channel c; if RELU is 1, y is the output of the ReLU and dy the gradient of y."""
    B, C, S, L = x.shape
    n, middle = count * S, splat(mean[c])
    total, moment = splat(0.0), splat(0.0)
    for b in range(B):
        ds, ms = tile(4), tile(4)
        for k in range(4):
            ds[k], ms[k] = splat(0.0), splat(0.0)
        for s0 in range(0, S - 3, 4):
            for k in range(4):
                d = gradient(y, dy, b, c, s0 + k, RELU)
                ds[k] = ds[k] + d
                ms[k] = fma(d, load(x, (b, c, s0 + k)) - middle, ms[k])
        for s in range(S - S % 4, S):
            d = gradient(y, dy, b, c, s, RELU)
            ds[0] = ds[0] + d
            ms[0] = fma(d, load(x, (b, c, s)) - middle, ms[0])
        filled = filled_lanes(count, b, L)
        total = total + select(filled, (ds[0] + ds[1]) + (ds[2] + ds[3]), splat(0.0))
        moment = moment + select(filled, (ms[0] + ms[1]) + (ms[2] + ms[3]), splat(0.0))
    inverse = (var[c] + epsilon) ** -0.5
    store_scalar(dbeta, (c,), sum_lanes(total))
    store_scalar(dgamma, (c,), sum_lanes(moment) * inverse)
    scale, shift, slope = splat(gamma[c] * inverse), splat(dbeta[c] / n), splat(-inverse * dgamma[c] / n)
    for b in range(B):
        filled = filled_lanes(count, b, L)
        for s in range(S):
            store_gradient(x, y, dy, middle, scale, shift, slope, filled, dx, b, c, s, RELU)


def fold_output(weight, bias, gamma, beta, mean, var, epsilon, folded_weight, folded_bias, o):
    """Fold the normalization of output o into its weights."""
    O, K = weight.shape
    scale = gamma[o] * (var[o] + epsilon) ** -0.5
    for k in range(K):
        store_scalar(folded_weight, (o, k), weight[o, k] * scale)
    store_scalar(folded_bias, (o,), (bias[o] - mean[o]) * scale + beta[o])


def _sum_channel(x, count, c):
    """Sum channel c over all images and pixels."""
    B, C, S, L = x.shape
    total = splat(0.0)
    for b in range(B):
        acc = tile(4)
        for k in range(4):
            acc[k] = splat(0.0)
        for s0 in range(0, S - 3, 4):
            for k in range(4):
                acc[k] = acc[k] + load(x, (b, c, s0 + k))
        for s in range(S - S % 4, S):
            acc[0] = acc[0] + load(x, (b, c, s))
        filled = filled_lanes(count, b, L)
        total = total + select(filled, (acc[0] + acc[1]) + (acc[2] + acc[3]), splat(0.0))
    return sum_lanes(total)


def _sum_squares(x, mean, count, c):
    """Sum the squared deviations of channel c from its mean, which is more precise than summing the squares."""
    B, C, S, L = x.shape
    total, middle = splat(0.0), splat(mean)
    for b in range(B):
        acc = tile(4)
        for k in range(4):
            acc[k] = splat(0.0)
        for s0 in range(0, S - 3, 4):
            for k in range(4):
                d = load(x, (b, c, s0 + k)) - middle
                acc[k] = fma(d, d, acc[k])
        for s in range(S - S % 4, S):
            d = load(x, (b, c, s)) - middle
            acc[0] = fma(d, d, acc[0])
        filled = filled_lanes(count, b, L)
        total = total + select(filled, (acc[0] + acc[1]) + (acc[2] + acc[3]), splat(0.0))
    return sum_lanes(total)
