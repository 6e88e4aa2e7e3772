"""One image on one core: to start a second one would take longer than its share of the work."""

from functools import cache

import numpy as np
from numba import njit

from fastdigits.ops.conv2d import reference as conv2d
from fastdigits.ops.fused import reference as fused
from fastdigits.ops.fused.epilogues import AVGPOOLED, MAXPOOLED, RECTIFIED, WHOLE, pooled
from fastdigits.ops.lanes import bind, cpu
from fastdigits.ops.lanes.tiling import single_tile
from fastdigits.ops.lanes.vector_unit import LANES
from fastdigits.ops.variants.single_image import cpu_kernel

_pad_row = bind(cpu_kernel.pad_row, cpu)
_row_tile = bind(cpu_kernel.row_tile, cpu)
_channel_tile = bind(cpu_kernel.channel_tile, cpu)
_turn = bind(cpu_kernel.turn, cpu)
_dense_outputs = bind(cpu_kernel.dense_outputs, cpu)

OUTPUTS, SUMS = 8, 2  # of a dense layer at a time: rows of weights, and vectors of sums for each


def conv2d_forward(x, weight, bias, stride, top, left, y):
    """See conv2d.reference.conv2d_forward."""
    if stride == 1:
        _convolve(x, weight, bias, top, left, y, WHOLE)
    else:
        conv2d.conv2d_forward(x, weight, bias, stride, top, left, y)


def conv2d_relu_forward(x, weight, bias, stride, top, left, y):
    """See fused.reference.conv2d_relu_forward."""
    if stride == 1:
        _convolve(x, weight, bias, top, left, y, RECTIFIED)
    else:
        fused.conv2d_relu_forward(x, weight, bias, stride, top, left, y)


def conv2d_relu_maxpool_forward(x, weight, bias, top, left, y, pool_mask):
    """See fused.reference.conv2d_relu_maxpool_forward; the pool_mask are left as they are."""
    _convolve(x, weight, bias, top, left, y, MAXPOOLED)


def conv2d_relu_avgpool_forward(x, weight, bias, top, left, y, pool_mask):
    """See fused.reference.conv2d_relu_avgpool_forward; the pool_mask are left as they are."""
    _convolve(x, weight, bias, top, left, y, AVGPOOLED)


@cpu.serial
def dense_forward(x, weight, bias, y):
    """See dense.reference.dense_forward."""
    _dense(x, weight, bias, y, 0)


@cpu.serial
def dense_relu_forward(x, weight, bias, y):
    """See fused.reference.dense_relu_forward."""
    _dense(x, weight, bias, y, 1)


@njit(nogil=True, forceinline=True)
def _dense(x, weight, bias, y, RELU):
    B, O, L = y.shape
    rows, outputs = x.reshape(B, x.shape[1]), y.reshape(B, O)
    for b in range(B):
        for o0 in range(0, O, OUTPUTS):
            _dense_outputs(rows, weight, bias, outputs, b, o0, OUTPUTS, SUMS, LANES, RELU)


def _convolve(x, weight, bias, top, left, y, ENDING):
    _convolution(weight.shape, y.shape, ENDING)(x, weight, bias, top, left, y)


@cache
def _convolution(weight_shape, y_shape, ENDING):
    """The convolution between these shapes, by whatever lanes take the least time."""
    POOLED = pooled(ENDING)
    O, C, P, Q = weight_shape
    _, _, I, J, _ = y_shape
    lanes, N, M = single_tile(O, I * POOLED, J * POOLED, C * P * Q)
    return (_by_channels if lanes == "channels" else _by_rows)(N, M, POOLED, ENDING)


@njit(nogil=True, forceinline=True)
def _pad(x, b, top, left, rows, columns):
    """Block b of x with zeros around it, and so wide that every vector from one of the columns on lies inside."""
    B, C, H, W, L = x.shape
    padded = np.zeros((C, rows, max(columns, W + left) + LANES), np.float32)
    pixels = x.reshape(B, C, H, W)
    for c in range(C):
        for h in range(max(0, -top), min(H, rows - top)):
            _pad_row(pixels, padded, top, left, b, c, h, LANES)
    return padded


@cache
def _by_rows(N, M, POOLED, ENDING):
    """The convolution by tiles of N channels, two rows and M * LANES columns."""
    COLUMNS = M * LANES

    @cpu.serial
    def convolution(x, weight, bias, top, left, y):
        B, O, I, J, L = y.shape
        O, C, P, Q = weight.shape
        rows, columns = (I * POOLED + 1) // 2 * 2, (J * POOLED + COLUMNS - 1) // COLUMNS * COLUMNS
        outputs = y.reshape(B, O, I, J)
        for b in range(B):
            padded = _pad(x, b, top, left, rows + P - 1, columns + Q - 1)
            for o0 in range(0, O, N):
                for i0 in range(0, rows, 2):
                    for j0 in range(0, columns, COLUMNS):
                        _row_tile(padded, weight, bias, outputs, b, o0, i0, j0, N, M, LANES, ENDING)

    return convolution


@cache
def _by_channels(N, M, POOLED, ENDING):
    """The convolution by tiles of M * LANES channels, two rows and N columns; weights and outputs are turned."""
    CHANNELS = M * LANES

    @cpu.serial
    def convolution(x, weight, bias, top, left, y):
        B, O, I, J, L = y.shape
        O, C, P, Q = weight.shape
        rows, columns = (I * POOLED + 1) // 2 * 2, (J * POOLED + N - 1) // N * N
        channels = (O + CHANNELS - 1) // CHANNELS * CHANNELS
        taps, outputs = weight.reshape(O, C * P * Q), y.reshape(B, O, I * J)
        turned = np.empty((C * P * Q, channels), np.float32)
        for o0 in range(0, O, LANES):
            for k0 in range(0, C * P * Q, LANES):
                _turn(taps, turned, o0, k0, LANES)
        pixels = np.empty((rows * J, channels), np.float32)
        for b in range(B):
            padded = _pad(x, b, top, left, rows + P - 1, columns + Q - 1)
            for o0 in range(0, O, CHANNELS):
                for i0 in range(0, rows, 2):
                    for j0 in range(0, columns, N):
                        _channel_tile(padded, turned, bias, pixels, o0, i0, j0, J, (C, P, Q), N, M, LANES, ENDING)
            for o0 in range(0, O, LANES):
                for k0 in range(0, I * J, LANES):
                    _turn(pixels, outputs[b], k0, o0, LANES)

    return convolution
