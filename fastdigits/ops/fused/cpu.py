"""Fused operations on the CPU. A function is compiled for each tile shape."""

from functools import cache

import numpy as np
from numba import prange

from fastdigits.ops.batchnorm import cpu_kernel as batchnorm
from fastdigits.ops.conv2d import cpu as conv2d
from fastdigits.ops.dense import cpu as dense
from fastdigits.ops.fused import cpu_kernel, kernel
from fastdigits.ops.fused.epilogues import PLAIN, RELU_AVGPOOL, RELU_MAXPOOL
from fastdigits.ops.lanes import bind, cpu
from fastdigits.ops.lanes.tiling import pool_tile_rows

_normalise_channel = bind(batchnorm.forward_channel, cpu)
_normalise_plane = bind(batchnorm.normalise_plane, cpu)
_backward_channel = bind(batchnorm.backward_channel, cpu)
_add_relu = bind(kernel.add_relu, cpu)
_pad_strip = bind(cpu_kernel.pad_strip, cpu)
_forward_pool_tile = bind(cpu_kernel.forward_pool_tile, cpu, inline=True)  # a call takes longer than a tile


@cpu.parallel
def add_relu(a, b, y):
    """See reference.add_relu."""
    for v in prange(len(y)):
        _add_relu(a, b, y, np.int64(v))


@cpu.parallel
def batchnorm_relu_forward(x, gamma, beta, count, epsilon, momentum, running_mean, running_var, mean, var, y):
    """See reference.batchnorm_relu_forward. Each core computes whole channels of all images."""
    for c in prange(x.shape[1]):
        _normalise_channel(
            x, gamma, beta, count, epsilon, momentum, running_mean, running_var, mean, var, y, np.int64(c), 1
        )


@cpu.parallel
def batchnorm_relu_inference(x, gamma, beta, mean, var, epsilon, y):
    """See reference.batchnorm_relu_inference. Each core computes whole channels of an image block."""
    B, C, S, L = x.shape
    for t in prange(B * C):
        c = t % C
        scale = gamma[c] * (var[c] + epsilon) ** -0.5
        _normalise_plane(x, mean[c], scale, beta[c], y, t // C, c, 1)


@cpu.parallel
def batchnorm_relu_backward(x, y, dy, gamma, mean, var, count, epsilon, dgamma, dbeta, dx):
    """See reference.batchnorm_relu_backward. Each core computes whole channels of all images."""
    for c in prange(x.shape[1]):
        _backward_channel(x, y, dy, gamma, mean, var, count, epsilon, dgamma, dbeta, dx, np.int64(c), 1)


def dense_relu_forward(x, weight, bias, y):
    """See reference.dense_relu_forward. Each core computes whole groups of N outputs."""
    dense.forward(x, weight, bias, y, 1)


def dense_backward(x, dy, weight, relu_input, dx, dweight, dbias):
    """See reference.dense_backward. Each core computes both gradients of strips of inputs."""
    dense.backward(x, dy, weight, dx, dweight, dbias, int(relu_input))


def conv2d_relu_forward(x, weight, bias, stride, top, left, y):
    """See reference.conv2d_relu_forward. Each core computes strips of rows of y."""
    conv2d.forward(x, weight, bias, stride, top, left, y, 1)


def conv2d_backward(x, dy, weight, stride, top, left, relu_input, dx, dweight, dbias):
    """See reference.conv2d_backward. Each core computes parts of dweight, then whole rows of dx."""
    _backward(x, dy, conv2d.NO_POOL_MASK, weight, stride, top, left, relu_input, dx, dweight, dbias, PLAIN)


def conv2d_relu_maxpool_forward(x, weight, bias, top, left, y, pool_mask):
    """See reference.conv2d_relu_maxpool_forward. Each core computes whole pooled rows."""
    _forward_pool(x, weight, bias, top, left, y, pool_mask, 1)


def conv2d_relu_avgpool_forward(x, weight, bias, top, left, y, pool_mask):
    """See reference.conv2d_relu_avgpool_forward. Each core computes whole pooled rows."""
    _forward_pool(x, weight, bias, top, left, y, pool_mask, 0)


def conv2d_relu_maxpool_backward(x, dy, pool_mask, weight, top, left, relu_input, dx, dweight, dbias):
    """See reference.conv2d_relu_maxpool_backward. Each core computes parts of dweight, then whole rows of dx."""
    _backward(x, dy, pool_mask, weight, 1, top, left, relu_input, dx, dweight, dbias, RELU_MAXPOOL)


def conv2d_relu_avgpool_backward(x, dy, pool_mask, weight, top, left, relu_input, dx, dweight, dbias):
    """See reference.conv2d_relu_avgpool_backward. Each core computes parts of dweight, then whole rows of dx."""
    _backward(x, dy, pool_mask, weight, 1, top, left, relu_input, dx, dweight, dbias, RELU_AVGPOOL)


def conv2d_relu_maxpool_backward_weight(x, dy, pool_mask, top, left, dweight, dbias):
    """See reference.conv2d_relu_maxpool_backward_weight. Each core computes parts of dweight."""
    conv2d.backward_weight(x, dy, pool_mask, 1, top, left, dweight, dbias, RELU_MAXPOOL)


def conv2d_relu_avgpool_backward_weight(x, dy, pool_mask, top, left, dweight, dbias):
    """See reference.conv2d_relu_avgpool_backward_weight. Each core computes parts of dweight."""
    conv2d.backward_weight(x, dy, pool_mask, 1, top, left, dweight, dbias, RELU_AVGPOOL)


def _backward(x, dy, pool_mask, weight, stride, top, left, relu_input, dx, dweight, dbias, EPILOGUE):
    conv2d.backward_weight(x, dy, pool_mask, stride, top, left, dweight, dbias, EPILOGUE)
    conv2d.backward_input(dy, pool_mask, weight, stride, top, left, x, dx, int(relu_input), EPILOGUE)


def _forward_pool(x, weight, bias, top, left, y, pool_mask, MAXIMUM):
    O, C, P, Q = weight.shape
    _, _, I, J, _ = y.shape
    padded = conv2d.padded(x, weight, 1, top, left, 2 * I, 2 * J)
    convolve = _conv2d_pool(pool_tile_rows(O), Q, padded, MAXIMUM, int(len(pool_mask) > 0))
    convolve(x, weight, bias, top, left, y, pool_mask)


@cache
def _conv2d_pool(N, Q, PADDED, MAXIMUM, MASKED):
    @cpu.parallel
    def conv2d_relu_pool_forward(x, weight, bias, top, left, y, pool_mask):
        B, O, I, J, L = y.shape
        O, C, P, _ = weight.shape
        for row in prange(B * I):
            b, i = row // I, row % I
            source, block, h0, w0 = x, b, 2 * i - top, -left
            if PADDED:  # copy the rows of x that row i needs with their padding: loads then need no masks
                source, block, h0, w0 = np.empty((1, C, P + 1, 2 * J + Q - 1, L), np.float32), np.int64(0), 0, 0
                _pad_strip(x, source, b, 2 * i - top, left)
            for o0 in range(0, O, N):
                for j in range(J):
                    _forward_pool_tile(
                        source, weight, bias, y, pool_mask, block, h0, w0 + 2 * j, b, o0, i, j, N, Q, MAXIMUM, MASKED
                    )

    return conv2d_relu_pool_forward
