"""Winograd's method for one image, on one core."""

import threading
import weakref
from functools import cache

import numpy as np

from fastdigits.ops.array import blocks, round_up
from fastdigits.ops.array.reference import empty, zeros
from fastdigits.ops.conv2d.cpu import NO_POOL_MASK
from fastdigits.ops.fused.epilogues import PLAIN, RELU_AVGPOOL, RELU_MAXPOOL, RELU_ONLY, pool_size
from fastdigits.ops.lanes import bind, cpu
from fastdigits.ops.lanes.tiling import single_winograd_pays, single_winograd_tile
from fastdigits.ops.lanes.vector_unit import LANES
from fastdigits.ops.runtime import replay
from fastdigits.ops.variants.single_image import cpu as single_image
from fastdigits.ops.variants.single_image.cpu_kernel import transpose_pixels
from fastdigits.ops.variants.single_image_winograd import cpu_kernel
from fastdigits.ops.variants.single_image_winograd.cpu_kernel import place_tiles
from fastdigits.ops.variants.winograd.cpu_kernel import store_tiles, transform_kernels

_transform_kernels = bind(transform_kernels, cpu)
_pad_channels = bind(cpu_kernel.pad_channels, cpu)
_transform_tiles = bind(cpu_kernel.transform_tiles, cpu)
_multiply_points = bind(cpu_kernel.multiply_points, cpu)
_store_tiles = bind(store_tiles, cpu)
_transpose_pixels = bind(transpose_pixels, cpu)


def conv2d_forward(x, weight, bias, stride, top, left, y):
    """See conv2d.reference.conv2d_forward."""
    if suits(weight, stride, y, PLAIN):
        _convolve(x, weight, bias, top, left, y, PLAIN)
    else:
        single_image.conv2d_forward(x, weight, bias, stride, top, left, y)


def conv2d_relu_forward(x, weight, bias, stride, top, left, y):
    """See fused.reference.conv2d_relu_forward."""
    if suits(weight, stride, y, RELU_ONLY):
        _convolve(x, weight, bias, top, left, y, RELU_ONLY)
    else:
        single_image.conv2d_relu_forward(x, weight, bias, stride, top, left, y)


def conv2d_relu_maxpool_forward(x, weight, bias, top, left, y, pool_mask):
    """See fused.reference.conv2d_relu_maxpool_forward. Does not fill pool_mask."""
    if suits(weight, 1, y, RELU_MAXPOOL):
        _convolve(x, weight, bias, top, left, y, RELU_MAXPOOL)
    else:
        single_image.conv2d_relu_maxpool_forward(x, weight, bias, top, left, y, pool_mask)


def conv2d_relu_avgpool_forward(x, weight, bias, top, left, y, pool_mask):
    """See fused.reference.conv2d_relu_avgpool_forward. Does not fill pool_mask."""
    if suits(weight, 1, y, RELU_AVGPOOL):
        _convolve(x, weight, bias, top, left, y, RELU_AVGPOOL)
    else:
        single_image.conv2d_relu_avgpool_forward(x, weight, bias, top, left, y, pool_mask)


def suits(weight, stride, y, EPILOGUE):
    """Return whether a convolution has 3 x 3 kernels and stride 1, and is faster by Winograd's method."""
    O, C, P, Q = weight.shape
    _, _, I, J, _ = y.shape
    POOL = pool_size(EPILOGUE)
    return (P, Q, stride) == (3, 3, 1) and single_winograd_pays(C, O, I * POOL, J * POOL, POOL)


def _convolve(x, weight, bias, top, left, y, EPILOGUE):
    O, _, _, _ = weight.shape
    _, _, I, J, _ = y.shape
    POOL = pool_size(EPILOGUE)
    N, M = single_winograd_tile(blocks(O, LANES), I * POOL, J * POOL)
    work = _workspace(weight, x.shape, y.shape, POOL, top, left, N, M)
    _update(work.u, work.known, weight)
    _convolution(N, M, POOL, EPILOGUE)(
        x, work.u, bias, top, left, y, work.padded, work.places, work.count, work.v, work.m, work.pixels, work.no_bias
    )


class _Workspace:
    """The arrays of a convolution, see cpu_kernel.py."""

    def __init__(self, weight, y_shape, POOL, N, M):
        O, C, _, _ = weight.shape
        _, _, I, J, _ = y_shape
        G, V = blocks(C, LANES), round_up(blocks(O, LANES), M)
        self.u, self.known = zeros((1, 36, C, V * LANES)), np.full_like(weight, np.nan)
        self.padded = zeros((1, G, round_up(I * POOL, 4) + 2, round_up(J * POOL, 4) + 2, LANES))
        self.count = blocks(I * POOL, 4) * blocks(J * POOL, 4)
        T = self.count + N - 1  # the last block of N tiles may have others that are not used
        self.places = np.zeros((T, 4), np.int64)
        place_tiles(self.places, I * POOL, J * POOL)
        self.v, self.m = zeros((6, G * T * 6, LANES)), empty((6, V * T * 6, LANES))
        self.pixels, self.no_bias = empty((1, V, I, J, LANES)), zeros((V,))


class _Kept(threading.local):
    """The workspaces of a thread, by the weights and sizes, with references to the weights."""

    def __init__(self):
        self.workspaces = {}


_KEPT = _Kept()


def _workspace(weight, x_shape, y_shape, POOL, top, left, N, M):
    """Return the workspace that this thread keeps as long as the weights exist. A replay has its own."""
    if replay.is_recording():
        return _Workspace(weight, y_shape, POOL, N, M)
    kept, key = _KEPT.workspaces, (id(weight), x_shape, y_shape, POOL, top, left)
    if key not in kept:
        kept[key] = _Workspace(weight, y_shape, POOL, N, M), weakref.ref(weight, lambda _: kept.pop(key, None))
    return kept[key][0]


@cpu.serial
def _update(u, known, weight):
    """Transform the weights unless they are equal to those that are known."""
    O, C, P, Q = weight.shape
    now, before = weight.reshape(O * C * 9), known.reshape(O * C * 9)
    changed = False
    for k in range(len(now)):
        changed |= now[k] != before[k]
    if changed:
        for c in range(C):
            for o0 in range(0, O, LANES):
                _transform_kernels(weight.reshape(O * C, 9), u, c, o0, u.shape[3], LANES, 0)
        before[:] = now


@cache
def _convolution(N, M, POOL, EPILOGUE):
    """Return the convolution of N tiles and M vectors of channels at a time; y has 1 / POOL of its rows and columns."""

    @cpu.serial
    def single_image_winograd(x, u, bias, top, left, y, padded, places, count, v, m, pixels, no_bias):
        B, C, H, W, L = x.shape
        B, O, I, J, L = y.shape
        _, G, _, _, _ = padded.shape
        _, V, _, _, _ = pixels.shape
        T, _ = places.shape
        images, outputs, channels = x.reshape(B, C, H * W), y.reshape(B, O, I * J), pixels.reshape(V, I * J, LANES)
        for b in range(B):
            for g in range(G):
                _pad_channels(images, padded, top, left, b, g, H, W, LANES)
                _transform_tiles(padded, v, places, count, g)
            _multiply_points(u, v.reshape(6, G * T * 6 * LANES), m, bias, T, I * POOL, J * POOL, N, M, LANES)
            _store_tiles(m, places, count, no_bias, NO_POOL_MASK, pixels, 0, 0, (O + LANES - 1) // LANES, EPILOGUE)
            for o0 in range(0, O, LANES):
                _transpose_pixels(channels[o0 // LANES], outputs[b, o0 : o0 + LANES], LANES)

    return single_image_winograd
