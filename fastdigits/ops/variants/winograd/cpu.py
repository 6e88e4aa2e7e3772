"""Winograd's method on the CPU: the forward pass divides tiles among the cores, the backward pass the images."""

from functools import cache

import numpy as np
from numba import prange

from fastdigits.ops.array import round_up
from fastdigits.ops.conv2d import cpu as conv2d
from fastdigits.ops.conv2d.cpu import NO_POOL_MASK
from fastdigits.ops.fused import cpu as fused
from fastdigits.ops.fused.epilogues import PLAIN, RELU_AVGPOOL, RELU_MAXPOOL, RELU_ONLY, pool_size
from fastdigits.ops.lanes import bind, cpu
from fastdigits.ops.lanes.tiling import product_tile, transposes_inputs, winograd_pays, winograd_tile
from fastdigits.ops.lanes.vector_unit import LANES
from fastdigits.ops.variants.winograd import cpu_kernel

_transform_kernels = bind(cpu_kernel.transform_kernels, cpu)
_count_groups = bind(cpu_kernel.count_groups, cpu)
_place_tiles = bind(cpu_kernel.place_tiles, cpu)
_transform_inputs = bind(cpu_kernel.transform_inputs, cpu)
_multiply_points = bind(cpu_kernel.multiply_points, cpu)
_store_tiles = bind(cpu_kernel.store_tiles, cpu)
_transform_gradients = bind(cpu_kernel.transform_gradients, cpu)
_multiply_gradients = bind(cpu_kernel.multiply_gradients, cpu)
_clear_rows = bind(cpu_kernel.clear_rows, cpu)
_add_input_gradients = bind(cpu_kernel.add_input_gradients, cpu)
_transform_sums = bind(cpu_kernel.transform_sums, cpu)
_kernel_gradient = bind(cpu_kernel.kernel_gradient, cpu)
_bias_gradient = bind(cpu_kernel.bias_gradient, cpu)

PARTS = 8  # partial sums of a weight gradient; fixed, so that the bits do not depend on the number of cores
BLOCK = 32  # channels


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
    O, _, _, _ = weight.shape
    _, _, I, J, _ = y.shape
    POOL = pool_size(EPILOGUE)
    N, T, HALVES = winograd_tile(O, I * POOL, J * POOL)
    u = _transformed(weight, N, 0)
    _convolution(N, T, HALVES, POOL, EPILOGUE)(x, u, bias, top, left, y, pool_mask)


def _backward(x, dy, pool_mask, weight, top, left, relu_input, dx, dweight, dbias, EPILOGUE):
    O, C, _, _ = weight.shape
    _, _, I, J, _ = dy.shape
    POOL = pool_size(EPILOGUE)
    INPUTS = int(transposes_inputs(C, O))
    N, T, HALVES = winograd_tile(C, I * POOL, J * POOL)
    gradients = _gradients(N, T, HALVES, *product_tile(*((O, C) if INPUTS else (C, O))), INPUTS, POOL, EPILOGUE)
    u = _transformed(weight, N, 1)
    gradients(x, dy, pool_mask, u, top, left, int(relu_input), dx, dweight.reshape(O * C, 9), dbias)


def _transformed(weight, N, back):
    """Return the transformed kernels in blocks of channels, which `multiply` reads N at a time, some after the last."""
    O, C, _, _ = weight.shape
    R, S = (O, C) if back else (C, O)
    blocks, block = -(-S // BLOCK), min(S, BLOCK)
    u = np.zeros((blocks, 36, R, round_up(round_up(block, N), LANES)), np.float32)
    _transform_all(weight.reshape(O * C, 9), u, back)
    return u


@cpu.parallel
def _transform_all(weight, u, back):
    G, K, R, S = u.shape
    groups = (len(weight) // R + LANES - 1) // LANES
    for t in prange(R * groups):
        _transform_kernels(weight, u, t // groups, t % groups * LANES, BLOCK, LANES, back)


@cache
def _convolution(N, T, HALVES, POOL, EPILOGUE):
    """Return the convolution of N channels of M tiles at a time; y has 1 / POOL of its rows and columns."""

    @cpu.parallel
    def winograd_convolution(x, u, bias, top, left, y, pool_mask):
        B, O, I, J, L = y.shape
        G, K, C, S = u.shape
        groups = _count_groups(I * POOL, J * POOL, T, HALVES)
        for unit in prange(B * groups):
            v = np.empty((6, C * T * 6, LANES), np.float32)
            m = np.empty((6, S * T * 6, LANES), np.float32)
            patches = np.empty((1, T, 6, 6, LANES), np.float32)
            places = np.empty((T, 4), np.int64)
            b = np.int64(unit) // groups
            count, rows, columns = _place_tiles(places, np.int64(unit) % groups, I * POOL, J * POOL, HALVES)
            _transform_inputs(x, v, patches, places, count, rows, columns, top, left, b)
            for g in range(G):
                first, last = g * BLOCK, min(O, (g + 1) * BLOCK)
                _multiply_points(u, v, m, g, last - first, rows, columns, N, T)
                _store_tiles(m, places, count, bias, pool_mask, y, b, first, last, EPILOGUE)

    return winograd_convolution


@cache
def _gradients(N, T, HALVES, RN, M, INPUTS, POOL, EPILOGUE):
    """Return the function that computes all gradients of a convolution.

    The weight gradient uses tiles of N x M * LANES sums; it transposes x if INPUTS is 1, else dy. The input gradient
    is computed for NX channels of T tiles at a time.
    """

    @cpu.parallel
    def winograd_gradients(x, dy, pool_mask, u, top, left, relu_input, dx, dweight, dbias):
        B, C, H, W, L = x.shape
        B, O, I, J, L = dy.shape
        R, S = (O, C) if INPUTS else (C, O)
        groups = _count_groups(I * POOL, J * POOL, T, HALVES)
        parts = min(B, PARTS)
        lane_groups = (S + LANES - 1) // LANES
        kernels = np.empty((parts, R, 9, lane_groups * LANES), np.float32)
        biases = np.empty((parts, O, LANES), np.float32)
        for index in prange(parts):
            part = np.int64(index)
            biases[part] = 0
            # tiles of sums go beyond the last channels
            sums = np.zeros((36, (R + RN - 1) // RN * RN, (S + M * LANES - 1) // (M * LANES) * M * LANES), np.float32)
            v = np.zeros((6, (C + N + RN) * T * 6, LANES), np.float32)
            m = np.zeros((6, (O + RN) * T * 6, LANES), np.float32)
            patches = np.empty((1, T, 6, 6, LANES), np.float32)
            places = np.empty((T, 4), np.int64)
            for b in range(part * B // parts, (part + 1) * B // parts):
                cleared = 0
                for group in range(groups):
                    count, rows, columns = _place_tiles(places, group, I * POOL, J * POOL, HALVES)
                    _transform_inputs(x, v, patches, places, count, rows, columns, top, left, b)
                    _transform_gradients(dy, pool_mask, m, biases, places, count, rows, columns, part, b, EPILOGUE)
                    _multiply_gradients(u, v, m, sums, count, rows, columns, C, O, BLOCK, N, T, RN, M, LANES, INPUTS)
                    end = H if group == groups - 1 else max(cleared, min(H, places[count - 1, 0] - top + rows + 2))
                    _clear_rows(dx, b, cleared, end)
                    cleared = end
                    _add_input_gradients(v, x, dx, patches, places, count, rows, columns, top, left, relu_input, b)
            _transform_sums(sums, kernels, part, LANES)
        for t in prange(R * lane_groups):
            _kernel_gradient(kernels, dweight, t // lane_groups, t % lane_groups * LANES, LANES, INPUTS)
        for o in range(O):
            _bias_gradient(biases, dbias, o)

    return winograd_gradients
