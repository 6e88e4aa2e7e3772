"""Winograd's method on the CPU: the forward pass divides tiles among the cores, the backward pass the images."""

from functools import cache

import numpy as np
from numba import prange

from fastdigits.ops.conv2d import cpu as conv2d
from fastdigits.ops.fused import cpu as fused
from fastdigits.ops.fused.epilogues import PLAIN, RELU_AVGPOOL, RELU_MAXPOOL, RELU_ONLY, pool_size
from fastdigits.ops.lanes import bind, cpu
from fastdigits.ops.lanes.tiling import tile_rows, transposes_inputs, winograd_pays, winograd_tile
from fastdigits.ops.lanes.vector_unit import LANES
from fastdigits.ops.variants.winograd import cpu_kernel

_transform_kernels = bind(cpu_kernel.transform_kernels, cpu)
_transform_input = bind(cpu_kernel.transform_input, cpu)
_transform_gradient = bind(cpu_kernel.transform_gradient, cpu)
_multiply = bind(cpu_kernel.multiply, cpu)
_store_tile = bind(cpu_kernel.store_tile, cpu)
_add_products = bind(cpu_kernel.add_products, cpu)
_rows_reached = bind(cpu_kernel.rows_reached, cpu)
_rows_finished = bind(cpu_kernel.rows_finished, cpu)
_clear_rows = bind(cpu_kernel.clear_rows, cpu)
_add_input_gradient = bind(cpu_kernel.add_input_gradient, cpu)
_mask_rows = bind(cpu_kernel.mask_rows, cpu)
_kernel_gradient = bind(cpu_kernel.kernel_gradient, cpu)
_bias_gradient = bind(cpu_kernel.bias_gradient, cpu)

PARTS = 8  # partial sums of a weight gradient; fixed, so that the bits do not depend on the number of cores
NO_POOL_MASK = np.empty((0, 0, 0, 0, LANES), np.uint8)  # for convolutions without pooling
T = 2  # tiles per step of the backward pass, so that the transforms of both sides stay in the cache


def conv2d_forward(x, weight, bias, stride, top, left, y):
    """See conv2d.reference.conv2d_forward. Each core computes whole tiles of y."""
    if suits(weight, stride, y, PLAIN):
        _forward(x, weight, bias, top, left, y, NO_POOL_MASK, PLAIN)
    else:
        conv2d.conv2d_forward(x, weight, bias, stride, top, left, y)


def conv2d_relu_forward(x, weight, bias, stride, top, left, y):
    """See fused.reference.conv2d_relu_forward. Each core computes whole tiles of y."""
    if suits(weight, stride, y, RELU_ONLY):
        _forward(x, weight, bias, top, left, y, NO_POOL_MASK, RELU_ONLY)
    else:
        fused.conv2d_relu_forward(x, weight, bias, stride, top, left, y)


def conv2d_relu_maxpool_forward(x, weight, bias, top, left, y, pool_mask):
    """See fused.reference.conv2d_relu_maxpool_forward. Each core computes whole tiles of the convolution's output."""
    if suits(weight, 1, y, RELU_MAXPOOL):
        _forward(x, weight, bias, top, left, y, pool_mask, RELU_MAXPOOL)
    else:
        fused.conv2d_relu_maxpool_forward(x, weight, bias, top, left, y, pool_mask)


def conv2d_relu_avgpool_forward(x, weight, bias, top, left, y, pool_mask):
    """See fused.reference.conv2d_relu_avgpool_forward. Each core computes whole tiles of the convolution's output."""
    if suits(weight, 1, y, RELU_AVGPOOL):
        _forward(x, weight, bias, top, left, y, pool_mask, RELU_AVGPOOL)
    else:
        fused.conv2d_relu_avgpool_forward(x, weight, bias, top, left, y, pool_mask)


def conv2d_backward(x, dy, weight, stride, top, left, relu_input, dx, dweight, dbias):
    """See fused.reference.conv2d_backward. Each core computes dx, and its part of dweight, for parts of the batch."""
    if suits(weight, stride, dy, PLAIN) and len(x) > 1:
        _backward(x, dy, NO_POOL_MASK, weight, top, left, relu_input, dx, dweight, dbias, PLAIN)
    else:
        fused.conv2d_backward(x, dy, weight, stride, top, left, relu_input, dx, dweight, dbias)


def conv2d_relu_maxpool_backward(x, dy, pool_mask, weight, top, left, relu_input, dx, dweight, dbias):
    """See fused.reference.conv2d_relu_maxpool_backward. The work is divided as in conv2d_backward."""
    if suits(weight, 1, dy, RELU_MAXPOOL) and len(x) > 1:
        _backward(x, dy, pool_mask, weight, top, left, relu_input, dx, dweight, dbias, RELU_MAXPOOL)
    else:
        fused.conv2d_relu_maxpool_backward(x, dy, pool_mask, weight, top, left, relu_input, dx, dweight, dbias)


def conv2d_relu_avgpool_backward(x, dy, pool_mask, weight, top, left, relu_input, dx, dweight, dbias):
    """See fused.reference.conv2d_relu_avgpool_backward. The work is divided as in conv2d_backward."""
    if suits(weight, 1, dy, RELU_AVGPOOL) and len(x) > 1:
        _backward(x, dy, pool_mask, weight, top, left, relu_input, dx, dweight, dbias, RELU_AVGPOOL)
    else:
        fused.conv2d_relu_avgpool_backward(x, dy, pool_mask, weight, top, left, relu_input, dx, dweight, dbias)


def suits(weight, stride, y, EPILOGUE):
    """Return whether a convolution has 3 x 3 kernels and stride 1, and is faster by Winograd's method."""
    O, C, P, Q = weight.shape
    _, _, I, J, _ = y.shape
    return (P, Q, stride) == (3, 3, 1) and winograd_pays(C, O, I * pool_size(EPILOGUE), J * pool_size(EPILOGUE))


def _forward(x, weight, bias, top, left, y, pool_mask, EPILOGUE):
    O, C, _, _ = weight.shape
    _, _, I, J, _ = y.shape
    N, M = winograd_tile(O, I * pool_size(EPILOGUE), J * pool_size(EPILOGUE))
    _convolution(N, M, pool_size(EPILOGUE), EPILOGUE)(x, _transformed(weight, 0), bias, top, left, y, pool_mask)


def _backward(x, dy, pool_mask, weight, top, left, relu_input, dx, dweight, dbias, EPILOGUE):
    O, C, _, _ = weight.shape
    INPUTS = int(transposes_inputs(C, O))
    R, S = (O, C) if INPUTS else (C, O)
    M = min(2, -(-S // LANES))
    gradients = _gradients(tile_rows(R, M), M, tile_rows(C, T), INPUTS, pool_size(EPILOGUE), EPILOGUE)
    u = _transformed(weight, 1)
    gradients(x, dy, pool_mask, u, top, left, int(relu_input), dx, dweight.reshape(O * C, 9), dbias)


def _transformed(weight, back):
    O, C, _, _ = weight.shape
    R, S = (O, C) if back else (C, O)
    u = np.empty((36, R, -(-S // LANES) * LANES), np.float32)
    _transform_all(weight.reshape(O * C, 9), u, back)
    return u


@cpu.parallel
def _transform_all(weight, u, back):
    K, R, S = u.shape
    groups = S // LANES
    for t in prange(R * groups):
        _transform_kernels(weight, u, t // groups, t % groups * LANES, LANES, back)


@cache
def _convolution(N, M, POOL, EPILOGUE):
    """Return the convolution of N channels of M tiles at a time; y has 1 / POOL of its rows and columns."""

    @cpu.parallel
    def winograd_convolution(x, u, bias, top, left, y, pool_mask):
        B, O, I, J, L = y.shape
        K, C, _ = u.shape
        tiles_across = (J * POOL + 3) // 4
        tiles = tiles_across * ((I * POOL + 3) // 4)
        groups = (tiles + M - 1) // M
        for unit in prange(B * groups):
            v = np.empty((36, C * M + 1, LANES), np.float32)  # one extra vector avoids strides of whole pages
            m = np.empty((36, N * M + 1, LANES), np.float32)
            b, t0 = unit // groups, unit % groups * M
            for c in range(C):
                _transform_input(x, v, top, left, tiles_across, b, c, t0, M)
            for o0 in range(0, O, N):
                for k in range(36):
                    _multiply(u, v, m, o0, k, N, M)
                for n in range(min(N, O - o0)):
                    for t in range(min(M, tiles - t0)):
                        i, j = (t0 + t) // tiles_across * 4, (t0 + t) % tiles_across * 4
                        _store_tile(m, n * M + t, bias, pool_mask, y, b, o0 + n, i, j, EPILOGUE)

    return winograd_convolution


@cache
def _gradients(N, M, NX, INPUTS, POOL, EPILOGUE):
    """Return the function that computes all gradients of a convolution.

    The weight gradient uses tiles of N x M * LANES sums; it transposes x if INPUTS is 1, else dy. The input gradient
    is computed for NX channels of T tiles at a time.
    """

    @cpu.parallel
    def winograd_gradients(x, dy, pool_mask, u, top, left, relu_input, dx, dweight, dbias):
        B, C, H, W, L = x.shape
        B, O, I, J, L = dy.shape
        R, S = (O, C) if INPUTS else (C, O)
        tiles_across = (J * POOL + 3) // 4
        tiles = tiles_across * ((I * POOL + 3) // 4)
        parts = min(B, PARTS)
        lane_groups = (S + LANES - 1) // LANES
        sums = np.empty((parts, 36, R, lane_groups * LANES), np.float32)
        biases = np.empty((parts, O, LANES), np.float32)
        for index in prange(parts):
            part = np.int64(index)
            sums[part] = 0
            biases[part] = 0
            v = np.empty((36, C * T + 1, LANES), np.float32)  # one extra vector avoids strides of whole pages
            m = np.empty((36, O * T + 1, LANES), np.float32)
            dv = np.empty((36, NX * T + 1, LANES), np.float32)
            for b in range(part * B // parts, (part + 1) * B // parts):
                for t0 in range(0, tiles, T):
                    for c in range(C):
                        _transform_input(x, v, top, left, tiles_across, b, c, t0, T)
                    for o in range(O):
                        _transform_gradient(dy, pool_mask, m, biases, part, tiles_across, b, o, t0, T, EPILOGUE)
                    for k in range(36):
                        for s0 in range(0, S, M * LANES):
                            if INPUTS:
                                _add_products(m, v, sums, part, k, s0, N, T, M, LANES)
                            else:
                                _add_products(v, m, sums, part, k, s0, N, T, M, LANES)
                    last = min(t0 + T, tiles)
                    first, end = (
                        _rows_reached(t0, tiles_across, top, H, tiles),
                        _rows_reached(last, tiles_across, top, H, tiles),
                    )
                    for c in range(C):
                        _clear_rows(dx, b, c, first, end)
                    for c0 in range(0, C, NX):
                        for k in range(36):
                            _multiply(u, m, dv, c0, k, NX, T)
                        for n in range(min(NX, C - c0)):
                            for t in range(last - t0):
                                h, w = (t0 + t) // tiles_across * 4 - top, (t0 + t) % tiles_across * 4 - left
                                _add_input_gradient(dv, n * T + t, dx, b, c0 + n, h, w)
                    if relu_input:
                        first, end = (
                            _rows_finished(t0, tiles_across, top, H, tiles),
                            _rows_finished(last, tiles_across, top, H, tiles),
                        )
                        for c in range(C):
                            _mask_rows(x, dx, b, c, first, end)
        for t in prange(R * lane_groups):
            _kernel_gradient(sums, dweight, t // lane_groups, t % lane_groups * LANES, LANES, INPUTS)
        for o in range(O):
            _bias_gradient(biases, dbias, o)

    return winograd_gradients
