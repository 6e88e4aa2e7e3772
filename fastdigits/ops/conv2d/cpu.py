"""Convolution on the CPU: cores compute rows or tiles. A function is compiled for each tile shape."""

from functools import cache
from math import ceil, log2

import numpy as np
from numba import prange

from fastdigits.ops.conv2d import cpu_kernel, kernel
from fastdigits.ops.fused.cpu_kernel import pad_strip
from fastdigits.ops.fused.epilogues import PLAIN, RELU_AVGPOOL, pool_size
from fastdigits.ops.lanes import bind, cpu
from fastdigits.ops.lanes.tiling import (
    LOAD_INSIDE,
    forward_tile,
    input_gradient_tile,
    tile_shape,
    weight_gradient_tile,
)
from fastdigits.ops.lanes.vector_unit import LANES

_pad_strip = bind(pad_strip, cpu)
_forward_row = bind(cpu_kernel.forward_row, cpu)
_backward_input_tile = bind(kernel.backward_input_tile, cpu)
_turn_weights = bind(cpu_kernel.turn_weights, cpu)
_fill_strip = bind(cpu_kernel.fill_strip, cpu)
_backward_input_row = bind(cpu_kernel.backward_input_row, cpu)
_clear_sums = bind(cpu_kernel.clear_sums, cpu)
_unpool_rows = bind(cpu_kernel.unpool_rows, cpu)
_pad_rows = bind(cpu_kernel.pad_rows, cpu)
_add_rows = bind(cpu_kernel.add_rows, cpu)
_add_bias = bind(cpu_kernel.add_bias, cpu)
_store_part = bind(cpu_kernel.store_part, cpu)
_add_parts = bind(cpu_kernel.add_parts, cpu)

NO_POOL_MASK = np.empty((0, 0, 0, 0, LANES), np.uint8)  # for convolutions without pooling
STRIP = 4  # rows of an output whose padded input is copied at a time
ROWS = 8  # rows of gradients that are computed at a time, so that they stay in the cache
TASKS = 64  # of a weight gradient, which cores share; fixed, so that the bits do not depend on the number of cores


def conv2d_forward(x, weight, bias, stride, top, left, y):
    """See reference.conv2d_forward. Each core computes strips of rows of y."""
    forward(x, weight, bias, stride, top, left, y, 0)


def conv2d_backward_input(dy, weight, stride, top, left, dx):
    """See reference.conv2d_backward_input. Each core computes whole rows of dx."""
    backward_input(dy, NO_POOL_MASK, weight, stride, top, left, dx, dx, 0, PLAIN)


def conv2d_backward_weight(x, dy, stride, top, left, dweight, dbias):
    """See reference.conv2d_backward_weight. Each core computes dweight of some outputs for parts of the batch."""
    backward_weight(x, dy, NO_POOL_MASK, stride, top, left, dweight, dbias, PLAIN)


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


def backward_input(dy, pool_mask, weight, stride, top, left, x, dx, relu_input, EPILOGUE):
    """Run conv2d_backward_input, or that of a pooled convolution, whose dy is the gradient of the pooled pixels.

    If relu_input is 1, x is the output of a ReLU and dx the gradient of its input.
    """
    C = weight.shape[1]
    if stride == 1:
        N, M = input_gradient_tile(C)
        compute = _backward_input_strips(N, M, pool_size(EPILOGUE))
        compute(dy, pool_mask, _share(EPILOGUE), weight, top, left, x, dx, relu_input)
    else:
        N, M = tile_shape(C, -(-dx.shape[3] // stride), LOAD_INSIDE)
        _backward_input_tiles(stride, N, M)(dy, weight, top, left, x, dx, relu_input)


def _share(EPILOGUE):
    """Return the share of the gradient of a pooled pixel that a pixel gets."""
    return np.float32(0.25 if EPILOGUE == RELU_AVGPOOL else 1.0)


@cache
def _backward_input_strips(N, M, POOL):
    @cpu.parallel
    def conv2d_backward_input(dy, pool_mask, share, weight, top, left, x, dx, relu_input):
        B, C, H, W, L = dx.shape
        O, C, P, Q = weight.shape
        I, J = dy.shape[2] * POOL, dy.shape[3] * POOL
        turned = np.empty((P, Q, O, (C + N - 1) // N * N), np.float32)
        for p in range(P):
            _turn_weights(weight, turned, p)
        strips = (H + ROWS - 1) // ROWS
        for t in prange(B * strips):
            b, h0 = t // strips, t % strips * ROWS
            i0 = (h0 + top - P + 1) // POOL
            dz = np.empty(((ROWS + P) // POOL * POOL + POOL, J + 2 * (M - 1), O, LANES), np.float32)
            _fill_strip(dy, pool_mask, share, dz, b, i0, M - 1, POOL)
            for h in range(h0, min(H, h0 + ROWS)):
                for c0 in range(0, C, N):
                    _backward_input_row(dz, turned, top, left, x, dx, i0 * POOL, I, b, c0, h, N, M, relu_input)

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


def backward_weight(x, dy, pool_mask, stride, top, left, dweight, dbias, EPILOGUE):
    """Run conv2d_backward_weight, or that of a pooled convolution, whose dy is the gradient of the pooled pixels."""
    O, _, P, Q = dweight.shape
    N, M = weight_gradient_tile(O, Q)
    parts = min(len(x), 2 ** int(log2(max(1, TASKS / ceil(O / N)))))
    compute = _backward_weight(N, M, pool_size(EPILOGUE))
    compute(x, dy, pool_mask, _share(EPILOGUE), stride, top, left, P, Q, parts, dweight.reshape(O, -1), dbias)


@cache
def _backward_weight(N, M, POOL):
    @cpu.parallel
    def conv2d_backward_weight(x, dy, pool_mask, share, stride, top, left, P, Q, parts, dweight, dbias):
        B, C, H, W, L = x.shape
        I, J = dy.shape[2] * POOL, dy.shape[3] * POOL
        O, K = dweight.shape
        tiles = (Q + M - 1) // M
        S = (J - 1) * stride + tiles * M  # columns of x that kernels meet
        pads = left > 0 or S - left > W
        results = np.empty((parts, O, K + 1), np.float32)
        groups = (O + N - 1) // N
        for t in prange(parts * groups):  # a core has the images that it had in other loops in its cache
            part, o0 = t // groups, t % groups * N
            sums = np.empty((N, C + 1, P, tiles * M, LANES), np.float32)
            rows_of_x = np.empty(((ROWS - 1) * stride + P, S, LANES), np.float32)
            gradients = np.empty((N, ROWS, J, LANES), np.float32)
            _clear_sums(sums)
            for b in range(part * B // parts, (part + 1) * B // parts):
                for i0 in range(0, I, ROWS):
                    h0, rows = i0 * stride - top, min(ROWS, I - i0)
                    dz, first_o, first_i = dy[b], o0, i0
                    if POOL > 1:
                        dz, first_o, first_i = gradients, np.int64(0), 0
                        _unpool_rows(dy, pool_mask, share, gradients, b, o0, i0)
                    for c in range(C):
                        if pads:
                            _pad_rows(x, rows_of_x, b, c, h0, left)
                            _add_rows(
                                rows_of_x, dz, sums, stride, c, h0, H, h0, np.int64(0), first_o, first_i, rows, N, M
                            )
                        else:
                            _add_rows(
                                x[b, c], dz, sums, stride, c, h0, H, np.int64(0), -left, first_o, first_i, rows, N, M
                            )
                    for n in range(min(N, O - o0)):
                        _add_bias(dz, sums, n, first_o + n, first_i, rows)
            _store_part(sums, results, part, o0, Q)
        for o in range(O):
            _add_parts(results, dweight, dbias, o)

    return conv2d_backward_weight
