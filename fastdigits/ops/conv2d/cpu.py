"""Convolution on the CPU: cores compute rows or tiles. A function is compiled for each tile shape."""

from functools import cache

from numba import prange

from fastdigits.ops.conv2d import cpu_kernel, kernel
from fastdigits.ops.lanes import bind, cpu
from fastdigits.ops.lanes.tiling import LOAD_INSIDE, row_tile, tile_shape, weight_tile_shape

_forward_tile = bind(cpu_kernel.forward_tile, cpu)
_backward_input_tile = bind(kernel.backward_input_tile, cpu)
_backward_input_row = bind(cpu_kernel.backward_input_row, cpu)
_backward_weight_tile = bind(cpu_kernel.backward_weight_tile, cpu)
_backward_bias = bind(cpu_kernel.backward_bias, cpu)


def conv2d_forward(x, weight, bias, stride, top, left, y):
    """See reference.conv2d_forward. Each core computes whole rows of y."""
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
    _forward(stride, *tile_shape(y.shape[1], y.shape[3], LOAD_INSIDE))(x, weight, bias, top, left, y, relu)


@cache
def _forward(stride, N, M):
    @cpu.parallel
    def conv2d_forward(x, weight, bias, top, left, y, relu):
        B, O, I, J, L = y.shape
        for row in prange(B * I):
            for o0 in range(0, O, N):
                for j0 in range(0, J, M):
                    _forward_tile(x, weight, bias, stride, top, left, y, row // I, o0, row % I, j0, N, M, relu)

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
