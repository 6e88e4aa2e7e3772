"""Convolution on the CPU: cores compute rows or tiles. A function is compiled for each tile shape."""

from functools import cache

import numpy as np
from numba import prange

from fastdigits.ops.conv2d import cpu_kernel, kernel
from fastdigits.ops.fused.cpu_kernel import pad_strip
from fastdigits.ops.lanes import bind, cpu
from fastdigits.ops.lanes.tiling import LOAD_INSIDE, forward_tile, row_tile, tile_shape, weight_tile_shape

_pad_strip = bind(pad_strip, cpu)
_forward_row = bind(cpu_kernel.forward_row, cpu)
_backward_input_tile = bind(kernel.backward_input_tile, cpu)
_backward_input_row = bind(cpu_kernel.backward_input_row, cpu)
_backward_weight_tile = bind(cpu_kernel.backward_weight_tile, cpu)
_backward_bias = bind(cpu_kernel.backward_bias, cpu)

STRIP = 4  # rows of an output whose padded input is copied at a time


def conv2d_forward(x, weight, bias, stride, top, left, y):
    """See reference.conv2d_forward. Each core computes strips of rows of y."""
    forward(x, weight, bias, stride, top, left, y, 0)


def conv2d_backward_input(dy, weight, stride, top, left, dx):
    """See reference.conv2d_backward_input. Each core computes whole rows of dx."""
    backward_input(dy, weight, stride, top, left, dx, dx, 0)


def conv2d_backward_weight(x, dy, stride, top, left, dweight, dbias):
    """See reference.conv2d_backward_weight. Each core computes tiles of dweight, summed over all images."""
    N, R, M = weight_tile_shape(dweight.shape[0], dweight.shape[2], dweight.shape[3])
    _backward_weight(stride, N, R, M)(x, dy, top, left, dweight, dbias)


def forward(x, weight, bias, stride, top, left, y, relu):
    """Run conv2d_forward, or conv2d_relu_forward if relu is 1."""
    O, C, P, Q = weight.shape
    _, _, I, J, _ = y.shape
    N, M = forward_tile(O, J, C * P * Q)
    _forward(stride, N, M, Q, padded(x, weight, stride, top, left, I, J))(x, weight, bias, top, left, y, relu)


def padded(x, weight, stride, top, left, I, J):
    """Return 1 if a convolution with I x J outputs reads pixels outside x, else 0."""
    _, _, H, W, _ = x.shape
    _, _, P, Q = weight.shape
    return int(top > 0 or left > 0 or (I - 1) * stride + P - top > H or (J - 1) * stride + Q - left > W)


@cache
def _forward(STRIDE, N, M, Q, PADDED):
    @cpu.parallel
    def conv2d_forward(x, weight, bias, top, left, y, relu):
        B, O, I, J, L = y.shape
        O, C, P, _ = weight.shape
        strips = (I + STRIP - 1) // STRIP
        for strip in prange(B * strips):
            b, i0 = strip // strips, strip % strips * STRIP
            source, block, h0, w0 = x, b, i0 * STRIDE - top, -left
            if PADDED:  # copy the rows of x that the strip needs with their padding: loads then need no masks
                rows, columns = (STRIP - 1) * STRIDE + P, (J - 1) * STRIDE + Q
                source, block, h0, w0 = np.empty((1, C, rows, columns, L), np.float32), np.int64(0), 0, 0
                _pad_strip(x, source, b, i0 * STRIDE - top, left)
            for o in range(0, O, N):
                for r in range(min(STRIP, I - i0)):
                    o0 = min(o, O - N)
                    _forward_row(
                        source, weight, bias, y, block, h0 + r * STRIDE, w0, b, o0, i0 + r, STRIDE, N, M, Q, relu
                    )

    return conv2d_forward


def backward_input(dy, weight, stride, top, left, x, dx, relu_input):
    """Run conv2d_backward_input; if relu_input is 1, x is the output of a ReLU and dx the gradient of its input."""
    C, W, J, Q = dx.shape[1], dx.shape[3], dy.shape[3], weight.shape[3]
    N = row_tile(C, W) if stride == 1 else 0
    if N:
        _backward_input_rows(N, W, J, Q, left)(dy, weight, top, x, dx, relu_input)
    else:
        N, M = tile_shape(C, -(-W // stride), LOAD_INSIDE)
        _backward_input_tiles(stride, N, M)(dy, weight, top, left, x, dx, relu_input)


@cache
def _backward_input_rows(N, W, J, Q, LEFT):
    @cpu.parallel
    def conv2d_backward_input(dy, weight, top, x, dx, relu_input):
        B, C, H, _, L = dx.shape
        for row in prange(B * H):
            for c0 in range(0, C, N):
                _backward_input_row(dy, weight, top, x, dx, row // H, c0, row % H, N, W, J, Q, LEFT, relu_input)

    return conv2d_backward_input


@cache
def _backward_input_tiles(stride, N, M):
    @cpu.parallel
    def conv2d_backward_input(dy, weight, top, left, x, dx, relu_input):
        B, C, H, W, L = dx.shape
        for row in prange(B * H):
            for c0 in range(0, C, N):
                for w in range(min(stride, W)):
                    for w0 in range(w, W, M * stride):
                        _backward_input_tile(
                            dy, weight, stride, top, left, x, dx, row // H, c0, row % H, w0, N, M, relu_input
                        )

    return conv2d_backward_input


@cache
def _backward_weight(stride, N, R, M):
    @cpu.parallel
    def conv2d_backward_weight(x, dy, top, left, dweight, dbias):
        O, C, P, Q = dweight.shape
        tiles_o, tiles_p = (O + N - 1) // N, (P + R - 1) // R
        for t in prange(tiles_o * C * tiles_p):
            o0, c, p0 = t // tiles_p // C * N, t // tiles_p % C, t % tiles_p * R
            for q0 in range(0, Q, M):
                _backward_weight_tile(x, dy, stride, top, left, dweight, o0, c, p0, q0, N, R, M)
            if c == 0 and p0 == 0:
                for o in range(o0, min(o0 + N, O)):
                    _backward_bias(dy, dbias, o)

    return conv2d_backward_weight
