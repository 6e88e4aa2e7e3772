"""Batch normalization on a GPU: one block of warps sums a channel of all images, so blocks need not communicate."""

from functools import cache
from math import sqrt

from numba import cuda, float32

from fastdigits.ops.batchnorm.kernel import filled_lanes, gradient, normalise, store_gradient
from fastdigits.ops.cuda.launch import LANES, blocks, kernel, sum_block, warp_number
from fastdigits.ops.lanes import fma, load, select, splat

CHANNEL_WARPS = 16  # warps of the block that computes a channel


def batchnorm_forward(x, gamma, beta, count, epsilon, momentum, running_mean, running_var, mean, var, y):
    """See reference.batchnorm_forward. Each block of warps computes a channel of all images."""
    forward(x, gamma, beta, count, epsilon, momentum, running_mean, running_var, mean, var, y, 0)


def batchnorm_inference(x, gamma, beta, mean, var, epsilon, y):
    """See reference.batchnorm_inference. Each warp computes a pixel of a channel of an image block."""
    inference(x, gamma, beta, mean, var, epsilon, y, 0)


def batchnorm_backward(x, dy, gamma, mean, var, count, epsilon, dgamma, dbeta, dx):
    """See reference.batchnorm_backward. Each block of warps computes a channel of all images."""
    backward(x, x, dy, gamma, mean, var, count, epsilon, dgamma, dbeta, dx, 0)


def forward(x, gamma, beta, count, epsilon, momentum, running_mean, running_var, mean, var, y, RELU):
    """Run batchnorm_forward, or batchnorm_relu_forward if RELU is 1."""
    n = count * x.shape[2]
    settings = count, 1 / n, n / max(n - 1, 1), epsilon, momentum
    _forward(RELU)(x, gamma, beta, *settings, running_mean, running_var, mean, var, y)


def inference(x, gamma, beta, mean, var, epsilon, y, RELU):
    """Run batchnorm_inference, or batchnorm_relu_inference if RELU is 1."""
    _inference(RELU)(x, gamma, beta, mean, var, epsilon, y)


def backward(x, y, dy, gamma, mean, var, count, epsilon, dgamma, dbeta, dx, RELU):
    """Run batchnorm_backward, or batchnorm_relu_backward if RELU is 1."""
    _backward(RELU)(x, y, dy, gamma, mean, var, count, 1 / (count * x.shape[2]), epsilon, dgamma, dbeta, dx)


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


def _each_channel(x, *others):
    return (x.shape[1],)


def _each_pixel(x, *others):
    B, C, S, L = x.shape
    return blocks(S), C, B


@cache
def _forward(RELU):
    @kernel(_each_channel, CHANNEL_WARPS)
    def batchnorm_forward(
        x, gamma, beta, count, inv_n, bessel, epsilon, momentum, running_mean, running_var, mean, var, y
    ):
        B, C, S, L = x.shape
        c, warp = cuda.blockIdx.x, cuda.threadIdx.y
        total, squares = splat(0.0), splat(0.0)
        sums = cuda.shared.array(CHANNEL_WARPS, float32)
        for t in range(warp, B * S, CHANNEL_WARPS):
            filled = filled_lanes(count, t // S, L)
            total += select(filled, load(x, (t // S, c, t % S)), splat(0.0))
        channel_mean = sum_block(total, sums) * inv_n
        square_sums = cuda.shared.array(CHANNEL_WARPS, float32)
        for t in range(warp, B * S, CHANNEL_WARPS):
            filled = filled_lanes(count, t // S, L)
            distance = load(x, (t // S, c, t % S)) - channel_mean
            squares += select(filled, distance * distance, splat(0.0))
        channel_var = sum_block(squares, square_sums) * inv_n
        scale = gamma[c] / sqrt(channel_var + epsilon)
        for t in range(warp, B * S, CHANNEL_WARPS):
            normalise(x, channel_mean, scale, beta[c], y, t // S, c, t % S, RELU)
        if warp == 0 and cuda.threadIdx.x == 0:
            mean[c], var[c] = channel_mean, channel_var
            running_mean[c] += momentum * (channel_mean - running_mean[c])
            running_var[c] += momentum * (channel_var * bessel - running_var[c])

    return batchnorm_forward


@cache
def _inference(RELU):
    @kernel(_each_pixel)
    def batchnorm_inference(x, gamma, beta, mean, var, epsilon, y):
        s, c, b = warp_number(), cuda.blockIdx.y, cuda.blockIdx.z
        if s < x.shape[2]:
            normalise(x, mean[c], gamma[c] / sqrt(var[c] + epsilon), beta[c], y, b, c, s, RELU)

    return batchnorm_inference


@cache
def _backward(RELU):
    @kernel(_each_channel, CHANNEL_WARPS)
    def batchnorm_backward(x, y, dy, gamma, mean, var, count, inv_n, epsilon, dgamma, dbeta, dx):
        B, C, S, L = x.shape
        c, warp = cuda.blockIdx.x, cuda.threadIdx.y
        total, moment, channel_mean = splat(0.0), splat(0.0), mean[c]
        for t in range(warp, B * S, CHANNEL_WARPS):
            b, s = t // S, t % S
            filled = filled_lanes(count, b, L)
            d = select(filled, gradient(y, dy, b, c, s, RELU), splat(0.0))
            total += d
            moment = fma(d, load(x, (b, c, s)) - channel_mean, moment)
        sums = cuda.shared.array(CHANNEL_WARPS, float32)
        moment_sums = cuda.shared.array(CHANNEL_WARPS, float32)
        inverse = splat(1.0) / sqrt(var[c] + epsilon)
        beta_gradient, gamma_gradient = sum_block(total, sums), sum_block(moment, moment_sums) * inverse
        scale, shift, slope = gamma[c] * inverse, beta_gradient * inv_n, -inverse * gamma_gradient * inv_n
        for t in range(warp, B * S, CHANNEL_WARPS):
            b, s = t // S, t % S
            filled = filled_lanes(count, b, L)
            store_gradient(x, y, dy, channel_mean, scale, shift, slope, filled, dx, b, c, s, RELU)
        if warp == 0 and cuda.threadIdx.x == 0:
            dbeta[c], dgamma[c] = beta_gradient, gamma_gradient

    return batchnorm_backward
