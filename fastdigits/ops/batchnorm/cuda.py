"""Batch normalization on a GPU: a block of warps computes a channel, or a part of one if channels are large.

A network has fewer channels than a large GPU has multiprocessors. So a first kernel sums the parts of large channels.
In a second one, each warp adds up the parts of its channel again, always in the same order, and normalizes.
"""

from functools import cache
from math import ceil, sqrt

from numba import cuda, float32

from fastdigits.ops.batchnorm.cuda_kernel import (
    combine_moments,
    first,
    normalise_pixels,
    store_gradients,
    store_moments,
    sum_gradients,
    sum_pixels,
    sum_squares,
)
from fastdigits.ops.batchnorm.kernel import normalise
from fastdigits.ops.cuda.device import scratch
from fastdigits.ops.cuda.launch import LANES, blocks, kernel, sum_block, warp_number
from fastdigits.ops.lanes import load_row, splat, sum_lanes

CHANNEL_WARPS = 16  # most warps of the block that computes a channel
PART_WARPS = 4  # warps of the block that computes a part of a channel
MAX_VECTORS = 1024  # that one block computes; above, two kernels are predicted to take less time on an H200 (2026-11)


def batchnorm_forward(x, gamma, beta, count, epsilon, momentum, running_mean, running_var, mean, var, y):
    """See reference.batchnorm_forward. Each block of warps computes a part of a channel of all images."""
    forward(x, gamma, beta, count, epsilon, momentum, running_mean, running_var, mean, var, y, 0)


def batchnorm_inference(x, gamma, beta, mean, var, epsilon, y):
    """See reference.batchnorm_inference. Each warp computes a pixel of a channel of an image block."""
    inference(x, gamma, beta, mean, var, epsilon, y, 0)


def batchnorm_backward(x, dy, gamma, mean, var, count, epsilon, dgamma, dbeta, dx):
    """See reference.batchnorm_backward. Each block of warps computes a part of a channel of all images."""
    backward(x, x, dy, gamma, mean, var, count, epsilon, dgamma, dbeta, dx, 0)


def forward(x, gamma, beta, count, epsilon, momentum, running_mean, running_var, mean, var, y, RELU):
    """Run batchnorm_forward, or batchnorm_relu_forward if RELU is 1."""
    n = count * x.shape[2]
    settings = n / max(n - 1, 1), epsilon, momentum
    if _is_small(x):
        _forward(RELU, *_warps(x))(x, gamma, beta, count, *settings, running_mean, running_var, mean, var, y)
        return
    sizes = _part_sizes(x)
    parts = _scratch(x, *sizes)
    _moments(*sizes)(x, count, parts)
    _normalise(RELU, *sizes)(x, parts, gamma, beta, *settings, running_mean, running_var, mean, var, y)


def inference(x, gamma, beta, mean, var, epsilon, y, RELU):
    """Run batchnorm_inference, or batchnorm_relu_inference if RELU is 1."""
    _inference(RELU)(x, gamma, beta, mean, var, epsilon, y)


def backward(x, y, dy, gamma, mean, var, count, epsilon, dgamma, dbeta, dx, RELU):
    """Run batchnorm_backward, or batchnorm_relu_backward if RELU is 1."""
    settings = count, 1 / (count * x.shape[2]), epsilon
    if _is_small(x):
        _backward(RELU, *_warps(x))(x, y, dy, gamma, mean, var, *settings, dgamma, dbeta, dx)
        return
    sizes = _part_sizes(x)
    parts = _scratch(x, *sizes)
    _gradient_sums(RELU, *sizes)(x, y, dy, mean, count, parts)
    _backward_input(RELU, *sizes)(x, y, dy, parts, gamma, mean, var, *settings, dgamma, dbeta, dx)


@kernel(lambda weight, *others: (blocks(-(-weight.shape[1] // LANES)), len(weight)))
def batchnorm_fold(weight, bias, gamma, beta, mean, var, epsilon, folded_weight, folded_bias):
    """See reference.batchnorm_fold. Each thread computes a weight."""
    O, K = weight.shape
    k, o = warp_number() * LANES + cuda.threadIdx.x, cuda.blockIdx.y
    scale = gamma[o] / sqrt(var[o] + epsilon)
    if k < K:
        folded_weight[o, k] = weight[o, k] * scale
    if k == 0:
        folded_bias[o] = (bias[o] - mean[o]) * scale + beta[o]


def _is_small(x):
    """Return whether a block of warps computes a whole channel."""
    B, C, S, L = x.shape
    return B * S <= MAX_VECTORS


def _warps(x):
    """Return how many blocks of images, and pixels of each, the warps of a channel compute at the same time."""
    B, C, S, L = x.shape
    pixels = ceil(S / ceil(S / CHANNEL_WARPS))
    return min(B, CHANNEL_WARPS // pixels), pixels


def _part_sizes(x):
    """Return the pixels of a part and the parts of a channel, which are at most LANES. A part has all images."""
    S = x.shape[2]
    part = PART_WARPS * ceil(S / (PART_WARPS * LANES))
    return part, ceil(S / part)


def _scratch(x, part, parts):
    """Return memory for two numbers of each part of each channel."""
    C = x.shape[1]
    return scratch(C * 2 * parts).reshape(C, 2, parts)


def _each_part(parts):
    return lambda x, *others: (parts, x.shape[1])


def _each_pixel(x, *others):
    B, C, S, L = x.shape
    return blocks(S), C, B


@cache
def _forward(RELU, BLOCKS, PIXELS):
    WARPS = BLOCKS * PIXELS

    @kernel(_each_part(1), WARPS)
    def batchnorm_forward(x, gamma, beta, count, bessel, epsilon, momentum, running_mean, running_var, mean, var, y):
        c, S = cuda.blockIdx.y, x.shape[2]
        b0, s0 = first(cuda.threadIdx.y, BLOCKS, PIXELS)
        sums, square_sums = cuda.shared.array(WARPS, float32), cuda.shared.array(WARPS, float32)
        n = splat(count * S)
        channel_mean = sum_block(sum_pixels(x, count, c, b0, s0, S, BLOCKS, PIXELS), sums, WARPS) / n
        squares = sum_squares(x, channel_mean, count, c, b0, s0, S, BLOCKS, PIXELS)
        channel_var = sum_block(squares, square_sums, WARPS) / n
        scale = gamma[c] / sqrt(channel_var + epsilon)
        normalise_pixels(x, channel_mean, scale, beta[c], y, c, b0, s0, S, BLOCKS, PIXELS, RELU)
        if cuda.threadIdx.y == 0 and cuda.threadIdx.x == 0:
            store_moments(channel_mean, channel_var, bessel, momentum, running_mean, running_var, mean, var, c)

    return batchnorm_forward


@cache
def _moments(PART, PARTS):
    @kernel(_each_part(PARTS), PART_WARPS)
    def batchnorm_moments(x, count, parts):
        """Fill parts[c] with the means of the parts and their variances."""
        part, c, S = cuda.blockIdx.x, cuda.blockIdx.y, x.shape[2]
        s0, s1 = part * PART, min((part + 1) * PART, S)
        sums, square_sums = cuda.shared.array(PART_WARPS, float32), cuda.shared.array(PART_WARPS, float32)
        n = splat(count * (s1 - s0))
        s0 += cuda.threadIdx.y
        part_mean = sum_block(sum_pixels(x, count, c, 0, s0, s1, 1, PART_WARPS), sums, PART_WARPS) / n
        squares = sum_squares(x, part_mean, count, c, 0, s0, s1, 1, PART_WARPS)
        part_var = sum_block(squares, square_sums, PART_WARPS) / n
        if cuda.threadIdx.y == 0 and cuda.threadIdx.x == 0:
            parts[c, 0, part], parts[c, 1, part] = part_mean, part_var

    return batchnorm_moments


@cache
def _normalise(RELU, PART, PARTS):
    @kernel(_each_part(PARTS), PART_WARPS)
    def batchnorm_normalise(x, parts, gamma, beta, bessel, epsilon, momentum, running_mean, running_var, mean, var, y):
        part, c, S = cuda.blockIdx.x, cuda.blockIdx.y, x.shape[2]
        s0, s1 = part * PART + cuda.threadIdx.y, min((part + 1) * PART, S)
        channel_mean, channel_var = combine_moments(parts, c, S, PART, cuda.threadIdx.x, LANES)
        scale = gamma[c] / sqrt(channel_var + epsilon)
        normalise_pixels(x, channel_mean, scale, beta[c], y, c, 0, s0, s1, 1, PART_WARPS, RELU)
        if part == 0 and cuda.threadIdx.y == 0 and cuda.threadIdx.x == 0:
            store_moments(channel_mean, channel_var, bessel, momentum, running_mean, running_var, mean, var, c)

    return batchnorm_normalise


@cache
def _inference(RELU):
    @kernel(_each_pixel)
    def batchnorm_inference(x, gamma, beta, mean, var, epsilon, y):
        s, c, b = warp_number(), cuda.blockIdx.y, cuda.blockIdx.z
        if s < x.shape[2]:
            normalise(x, mean[c], gamma[c] / sqrt(var[c] + epsilon), beta[c], y, b, c, s, RELU)

    return batchnorm_inference


@cache
def _backward(RELU, BLOCKS, PIXELS):
    WARPS = BLOCKS * PIXELS

    @kernel(_each_part(1), WARPS, writes=["dgamma", "dbeta", "dx"])
    def batchnorm_backward(x, y, dy, gamma, mean, var, count, inv_n, epsilon, dgamma, dbeta, dx):
        c, S = cuda.blockIdx.y, x.shape[2]
        b0, s0 = first(cuda.threadIdx.y, BLOCKS, PIXELS)
        sums, moment_sums = cuda.shared.array(WARPS, float32), cuda.shared.array(WARPS, float32)
        total, moment = sum_gradients(x, y, dy, mean[c], count, c, b0, s0, S, BLOCKS, PIXELS, RELU)
        inverse = splat(1.0) / sqrt(var[c] + epsilon)
        beta_gradient, gamma_gradient = sum_block(total, sums, WARPS), sum_block(moment, moment_sums, WARPS) * inverse
        scale, shift, slope = gamma[c] * inverse, beta_gradient * inv_n, -inverse * gamma_gradient * inv_n
        store_gradients(x, y, dy, mean[c], scale, shift, slope, count, dx, c, b0, s0, S, BLOCKS, PIXELS, RELU)
        if cuda.threadIdx.y == 0 and cuda.threadIdx.x == 0:
            dbeta[c], dgamma[c] = beta_gradient, gamma_gradient

    return batchnorm_backward


@cache
def _gradient_sums(RELU, PART, PARTS):
    @kernel(_each_part(PARTS), PART_WARPS, writes=["parts"])
    def batchnorm_gradient_sums(x, y, dy, mean, count, parts):
        """Fill parts[c] with the sums of the gradients, and of their products with the deviations from the mean."""
        part, c, S = cuda.blockIdx.x, cuda.blockIdx.y, x.shape[2]
        s0, s1 = part * PART + cuda.threadIdx.y, min((part + 1) * PART, S)
        sums, moment_sums = cuda.shared.array(PART_WARPS, float32), cuda.shared.array(PART_WARPS, float32)
        total, moment = sum_gradients(x, y, dy, mean[c], count, c, 0, s0, s1, 1, PART_WARPS, RELU)
        part_total, part_moment = sum_block(total, sums, PART_WARPS), sum_block(moment, moment_sums, PART_WARPS)
        if cuda.threadIdx.y == 0 and cuda.threadIdx.x == 0:
            parts[c, 0, part], parts[c, 1, part] = part_total, part_moment

    return batchnorm_gradient_sums


@cache
def _backward_input(RELU, PART, PARTS):
    @kernel(_each_part(PARTS), PART_WARPS, writes=["dgamma", "dbeta", "dx"])
    def batchnorm_backward_input(x, y, dy, parts, gamma, mean, var, count, inv_n, epsilon, dgamma, dbeta, dx):
        part, c, S = cuda.blockIdx.x, cuda.blockIdx.y, x.shape[2]
        s0, s1 = part * PART + cuda.threadIdx.y, min((part + 1) * PART, S)
        inverse = splat(1.0) / sqrt(var[c] + epsilon)
        beta_gradient = sum_lanes(load_row(parts, (c, 0, 0), PARTS, LANES))
        gamma_gradient = sum_lanes(load_row(parts, (c, 1, 0), PARTS, LANES)) * inverse
        scale, shift, slope = gamma[c] * inverse, beta_gradient * inv_n, -inverse * gamma_gradient * inv_n
        store_gradients(x, y, dy, mean[c], scale, shift, slope, count, dx, c, 0, s0, s1, 1, PART_WARPS, RELU)
        if part == 0 and cuda.threadIdx.y == 0 and cuda.threadIdx.x == 0:
            dbeta[c], dgamma[c] = beta_gradient, gamma_gradient

    return batchnorm_backward_input
