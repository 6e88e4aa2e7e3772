"""Inference on one image at a time, on one core: starting a second core would take longer than it saves."""

from functools import cache

import numpy as np
from numba import njit

from fastdigits.ops.fused.epilogues import PLAIN, RELU_AVGPOOL, RELU_MAXPOOL, RELU_ONLY, pool_size
from fastdigits.ops.lanes import bind, cpu
from fastdigits.ops.lanes.tiling import single_tile
from fastdigits.ops.lanes.vector_unit import LANES
from fastdigits.ops.variants.single_image import cpu_kernel

_pad_row = bind(cpu_kernel.pad_row, cpu)
_row_tile = bind(cpu_kernel.row_tile, cpu)
_channel_tile = bind(cpu_kernel.channel_tile, cpu)
_transpose_square = bind(cpu_kernel.transpose_square, cpu)
_transpose_pixels = bind(cpu_kernel.transpose_pixels, cpu)
_dense_outputs = bind(cpu_kernel.dense_outputs, cpu)

CACHED_WEIGHTS = 2**19  # of a dense layer: more do not fit in the second-level cache


def conv2d_forward(x, weight, bias, stride, top, left, y):
    """See conv2d.reference.conv2d_forward."""
    _convolve(x, weight, bias, stride, top, left, y, PLAIN)


def conv2d_relu_forward(x, weight, bias, stride, top, left, y):
    """See fused.reference.conv2d_relu_forward."""
    _convolve(x, weight, bias, stride, top, left, y, RELU_ONLY)


def conv2d_relu_maxpool_forward(x, weight, bias, top, left, y, pool_mask):
    """See fused.reference.conv2d_relu_maxpool_forward. Does not fill pool_mask."""
    _convolve(x, weight, bias, 1, top, left, y, RELU_MAXPOOL)


def conv2d_relu_avgpool_forward(x, weight, bias, top, left, y, pool_mask):
    """See fused.reference.conv2d_relu_avgpool_forward. Does not fill pool_mask."""
    _convolve(x, weight, bias, 1, top, left, y, RELU_AVGPOOL)


def dense_forward(x, weight, bias, y):
    """See dense.reference.dense_forward."""
    _dense(*_dense_tile(weight.size))(x, weight, bias, y, 0)


def dense_relu_forward(x, weight, bias, y):
    """See fused.reference.dense_relu_forward."""
    _dense(*_dense_tile(weight.size))(x, weight, bias, y, 1)


def batchnorm_inference(x, gamma, beta, mean, var, epsilon, y):
    """See batchnorm.reference.batchnorm_inference."""
    _normalise(x, gamma, beta, mean, var, epsilon, y, 0)


def batchnorm_relu_inference(x, gamma, beta, mean, var, epsilon, y):
    """See fused.reference.batchnorm_relu_inference."""
    _normalise(x, gamma, beta, mean, var, epsilon, y, 1)


@cpu.serial
def maxpool2d_forward(x, window, stride, y):
    """See pool2d.reference.maxpool2d_forward."""
    B, C, I, J, L = y.shape
    for b in range(B):
        for c in range(C):
            for i in range(I):
                for j in range(J):
                    best = x[b, c, i * stride, j * stride, 0]
                    for p in range(window[0]):
                        for q in range(window[1]):
                            v = x[b, c, i * stride + p, j * stride + q, 0]
                            if v > best or v != v:
                                best = v
                    y[b, c, i, j, 0] = best


@cpu.serial
def avgpool2d_forward(x, window, stride, y):
    """See pool2d.reference.avgpool2d_forward."""
    B, C, I, J, L = y.shape
    for b in range(B):
        for c in range(C):
            for i in range(I):
                for j in range(J):
                    total = np.float32(0.0)
                    for p in range(window[0]):
                        for q in range(window[1]):
                            total += x[b, c, i * stride + p, j * stride + q, 0]
                    y[b, c, i, j, 0] = total / np.float32(window[0] * window[1])


@cpu.serial
def relu_forward(x, y):
    """See activation.reference.relu_forward."""
    inputs, outputs = x.reshape(x.size), y.reshape(y.size)
    for k in range(len(inputs)):
        outputs[k] = _relu(inputs[k])


@cpu.serial
def add(a, b, y):
    """See elementwise.reference.add."""
    first, second, sums = a.reshape(a.size), b.reshape(b.size), y.reshape(y.size)
    for k in range(len(first)):
        sums[k] = first[k] + second[k]


@cpu.serial
def add_relu(a, b, y):
    """See fused.reference.add_relu."""
    first, second, outputs = a.reshape(a.size), b.reshape(b.size), y.reshape(y.size)
    for k in range(len(first)):
        outputs[k] = _relu(first[k] + second[k])


def gather_batch(images, labels, order, start, count, scale, shift, x, targets):
    """See batch.reference.gather_batch."""
    _gather(images, labels, order, start, count, scale, shift, x, targets)


def _dense_tile(weights):
    """Return the outputs N of a tile of a dense layer, and the vectors M of sums for each.

    The second-level cache delivers few rows of weights at a time at a higher rate, and the memory behind it many.
    """
    return (3, 2) if weights <= CACHED_WEIGHTS else (8, 1)


@cache
def _dense(N, M):
    """Return the dense layer in tiles of N outputs with M vectors of sums each."""

    @cpu.serial
    def dense(x, weight, bias, y, RELU):
        B, O, L = y.shape
        rows, outputs = x.reshape(B, x.shape[1]), y.reshape(B, O)
        for b in range(B):
            for o0 in range(0, O, N):
                _dense_outputs(rows, weight, bias, outputs, b, o0, N, M, LANES, RELU)

    return dense


@njit(nogil=True, forceinline=True)
def _relu(v):
    return np.float32(0.0) if v <= np.float32(0.0) else v


@cpu.serial
def _normalise(x, gamma, beta, mean, var, epsilon, y, RELU):
    B, C, S, L = x.shape
    for b in range(B):
        for c in range(C):
            scale = gamma[c] * (var[c] + np.float32(epsilon)) ** np.float32(-0.5)
            for s in range(S):
                v = (x[b, c, s, 0] - mean[c]) * scale + beta[c]
                y[b, c, s, 0] = _relu(v) if RELU else v


@cpu.serial
def _gather(images, labels, order, start, count, scale, shift, x, targets):
    B, K, L = x.shape
    for b in range(B):
        row = order[start[0] + min(b, count - 1)]
        targets[b, 0] = np.float32(labels[row, 0]) if b < count else np.float32(-1.0)
        for k in range(K):
            x[b, k, 0] = np.float32(images[row, k]) * scale + shift


def _convolve(x, weight, bias, stride, top, left, y, EPILOGUE):
    _convolution(weight.shape, y.shape, stride, EPILOGUE)(x, weight, bias, top, left, y)


@cache
def _convolution(weight_shape, y_shape, STRIDE, EPILOGUE):
    """Return the convolution for these shapes, with the faster choice of lanes."""
    POOL = pool_size(EPILOGUE)
    O, C, P, Q = weight_shape
    _, _, I, J, _ = y_shape
    adjacent = STRIDE == 1  # pixels of adjacent outputs, as a vector of columns needs them
    lanes, N, M = single_tile(O, I * POOL, J * POOL, C * P * Q, POOL, adjacent)
    return _by_channels(N, M, STRIDE, POOL, EPILOGUE) if lanes == "channels" else _by_rows(N, M, Q, POOL, EPILOGUE)


@njit(nogil=True, forceinline=True)
def _pad(x, b, top, left, rows, columns):
    """Copy block b of x into an array with padding, so wide that a vector can start at every column."""
    B, C, H, W, L = x.shape
    padded = np.zeros((C, rows, max(columns, W + left) + LANES), np.float32)
    pixels = x.reshape(B, C, H, W)
    for c in range(C):
        for h in range(max(0, -top), min(H, rows - top)):
            _pad_row(pixels, padded, top, left, b, c, h, LANES)
    return padded


@cache
def _by_rows(N, M, Q, POOL, EPILOGUE):
    """Return the convolution in tiles of N channels, two rows and M * LANES columns."""
    COLUMNS = M * LANES

    @cpu.serial
    def convolution(x, weight, bias, top, left, y):
        B, O, I, J, L = y.shape
        O, C, P, _ = weight.shape
        rows, columns = (I * POOL + 1) // 2 * 2, (J * POOL + COLUMNS - 1) // COLUMNS * COLUMNS
        outputs = y.reshape(B, O, I, J)
        for b in range(B):
            padded = _pad(x, b, top, left, rows + P - 1, columns + Q - 1)
            for o0 in range(0, O, N):
                for i0 in range(0, rows, 2):
                    for j0 in range(0, columns, COLUMNS):
                        _row_tile(padded, weight, bias, outputs, b, o0, i0, j0, N, M, Q, LANES, EPILOGUE)

    return convolution


@cache
def _by_channels(N, M, STRIDE, POOL, EPILOGUE):
    """Return the convolution in tiles of M * LANES channels, two rows and N columns, which transposes the weights."""
    CHANNELS = M * LANES

    @cpu.serial
    def convolution(x, weight, bias, top, left, y):
        B, O, I, J, L = y.shape
        O, C, P, Q = weight.shape
        rows, columns = (I * POOL + 1) // 2 * 2, (J * POOL + N - 1) // N * N
        channels = (O + CHANNELS - 1) // CHANNELS * CHANNELS
        taps, outputs = weight.reshape(O, C * P * Q), y.reshape(B, O, I * J)
        transposed = np.empty((C * P * Q, channels), np.float32)
        for o0 in range(0, channels, LANES):
            for k0 in range(0, C * P * Q, LANES):
                _transpose_square(taps, transposed, o0, k0, LANES)
        pixels = np.empty((rows * J, channels), np.float32)
        for b in range(B):
            padded = _pad(x, b, top, left, (rows - 1) * STRIDE + P, (columns - 1) * STRIDE + Q)
            for o0 in range(0, O, CHANNELS):
                for i0 in range(0, rows, 2):
                    for j0 in range(0, columns, N):
                        _channel_tile(
                            padded, transposed, bias, pixels, o0, i0, j0, J, (C, P, Q), STRIDE, N, M, LANES, EPILOGUE
                        )
            _transpose_pixels(pixels, outputs[b], LANES)

    return convolution
