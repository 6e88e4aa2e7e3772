"""Which core computes which tiles.

The operations of these names in conv2d and fused, by Winograd's method where it suits the layer.
"""

from functools import cache

import numpy as np
from numba import njit, prange

from fastdigits.ops.conv2d import cpu as conv2d
from fastdigits.ops.fused import cpu as fused
from fastdigits.ops.lanes import bind, cpu
from fastdigits.ops.lanes.machine import LANES, tile_rows, turned_inputs, winograd_pays, winograd_tile
from fastdigits.ops.winograd import kernel
from fastdigits.ops.winograd.kernel import AVGPOOLED, MASKED, MAXPOOLED, RECTIFIED, WHOLE

_transform_kernels = bind(kernel.transform_kernels, cpu)
_transform_input = bind(kernel.transform_input, cpu)
_transform_gradient = bind(kernel.transform_gradient, cpu)
_multiply = bind(kernel.multiply, cpu)
_finish = bind(kernel.finish, cpu)
_add_products = bind(kernel.add_products, cpu)
_kernel_gradient = bind(kernel.kernel_gradient, cpu)
_bias_gradient = bind(kernel.bias_gradient, cpu)

PARTS = 8  # in which the gradients of all images are summed, whatever the number of cores
NO_ROUTES = np.empty((0, 0, 0, 0, LANES), np.uint8)  # where nothing is pooled
T = 2  # tiles at a time in a weight gradient, which keeps the transforms of both sides in the cache


def conv2d_forward(x, weight, bias, stride, top, left, y):
    """See conv2d.reference.conv2d_forward. A core owns whole tiles of y."""
    if suits(weight, stride, _pixels(y), _pixels(y)):
        _forward(x, weight, bias, top, left, y, NO_ROUTES, WHOLE)
    else:
        conv2d.conv2d_forward(x, weight, bias, stride, top, left, y)


def conv2d_relu_forward(x, weight, bias, stride, top, left, y):
    """See fused.reference.conv2d_relu_forward. A core owns whole tiles of y."""
    if suits(weight, stride, _pixels(y), _pixels(y)):
        _forward(x, weight, bias, top, left, y, NO_ROUTES, RECTIFIED)
    else:
        fused.conv2d_relu_forward(x, weight, bias, stride, top, left, y)


def conv2d_relu_maxpool_forward(x, weight, bias, top, left, y, routes):
    """See fused.reference.conv2d_relu_maxpool_forward. A core owns whole tiles of the convolution's output."""
    if suits(weight, 1, _pixels(y, MAXPOOLED), _pixels(y, MAXPOOLED)):
        _forward(x, weight, bias, top, left, y, routes, MAXPOOLED)
    else:
        fused.conv2d_relu_maxpool_forward(x, weight, bias, top, left, y, routes)


def conv2d_relu_avgpool_forward(x, weight, bias, top, left, y, routes):
    """See fused.reference.conv2d_relu_avgpool_forward. A core owns whole tiles of the convolution's output."""
    if suits(weight, 1, _pixels(y, AVGPOOLED), _pixels(y, AVGPOOLED)):
        _forward(x, weight, bias, top, left, y, routes, AVGPOOLED)
    else:
        fused.conv2d_relu_avgpool_forward(x, weight, bias, top, left, y, routes)


def conv2d_backward_input(dy, weight, stride, top, left, dx):
    """See conv2d.reference.conv2d_backward_input. A core owns whole tiles of dx."""
    if suits(weight, stride, _pixels(dx), _pixels(dy)):
        _backward_input(dy, NO_ROUTES, weight, top, left, dx, dx, WHOLE, WHOLE)
    else:
        conv2d.conv2d_backward_input(dy, weight, stride, top, left, dx)


def conv2d_backward_input_relu(dy, weight, stride, top, left, x, dx):
    """See fused.reference.conv2d_backward_input_relu. A core owns whole tiles of dx."""
    if suits(weight, stride, _pixels(dx), _pixels(dy)):
        _backward_input(dy, NO_ROUTES, weight, top, left, x, dx, WHOLE, MASKED)
    else:
        fused.conv2d_backward_input_relu(dy, weight, stride, top, left, x, dx)


def conv2d_backward_weight(x, dy, stride, top, left, dweight, dbias):
    """See conv2d.reference.conv2d_backward_weight. A core owns the sums of a part of the tiles."""
    if suits(dweight, stride, _pixels(dy), _pixels(dy)):
        _backward_weight(x, dy, NO_ROUTES, top, left, dweight, dbias, WHOLE)
    else:
        conv2d.conv2d_backward_weight(x, dy, stride, top, left, dweight, dbias)


def conv2d_relu_maxpool_backward(x, dy, routes, weight, top, left, rectified, dx, dweight, dbias):
    """See fused.reference.conv2d_relu_maxpool_backward."""
    _backward(x, dy, routes, weight, top, left, rectified, dx, dweight, dbias, MAXPOOLED)


def conv2d_relu_avgpool_backward(x, dy, routes, weight, top, left, rectified, dx, dweight, dbias):
    """See fused.reference.conv2d_relu_avgpool_backward."""
    _backward(x, dy, routes, weight, top, left, rectified, dx, dweight, dbias, AVGPOOLED)


def suits(weight, stride, tiled, summed):
    """Whether a convolution has 3 x 3 kernels, and enough channels to earn the transforms.

    `tiled` are the rows and columns that are cut into tiles, `summed` those that the direct method goes through.
    """
    O, C, P, Q = weight.shape
    return (P, Q, stride) == (3, 3, 1) and winograd_pays(C, O, _tiles(tiled), summed[0] * summed[1])


def _pixels(y, KIND=WHOLE):
    """The rows and columns of the convolution whose output, or a pooled one, is y."""
    _, _, I, J, _ = y.shape
    return (2 * I, 2 * J) if KIND in (MAXPOOLED, AVGPOOLED) else (I, J)


def _tiles(pixels):
    return -(-pixels[0] // 4) * -(-pixels[1] // 4)


def _forward(x, weight, bias, top, left, y, routes, ENDING):
    O, C, _, _ = weight.shape
    u = np.empty((36, C, -(-O // LANES) * LANES), np.float32)
    _kernels(0)(weight.reshape(O * C, 9), u)
    N, M = winograd_tile(O, _tiles(_pixels(y, ENDING)))
    _convolution(N, M, WHOLE, ENDING)(x, NO_ROUTES, u, bias, top, left, routes, y, y)


def _backward_input(dy, routes, weight, top, left, x, dx, SOURCE, ENDING):
    """The gradient by the input: dy convolved with the turned kernels."""
    O, C, _, _ = weight.shape
    u = np.empty((36, O, -(-C // LANES) * LANES), np.float32)
    _kernels(1)(weight.reshape(O * C, 9), u)
    N, M = winograd_tile(C, _tiles(_pixels(dx)))
    _convolution(N, M, SOURCE, ENDING)(dy, routes, u, np.zeros(C, np.float32), 2 - top, 2 - left, NO_ROUTES, x, dx)


def _backward_weight(x, dy, routes, top, left, dweight, dbias, SOURCE):
    O, C, _, _ = dweight.shape
    INPUTS = int(turned_inputs(C, O))
    R, S = (O, C) if INPUTS else (C, O)
    M = min(2, -(-S // LANES))
    weight_gradient = _weight_gradient(tile_rows(R, M), M, INPUTS, SOURCE)
    weight_gradient(x, dy, routes, top, left, dweight.reshape(O * C, 9), dbias)


def _backward(x, dy, routes, weight, top, left, rectified, dx, dweight, dbias, SOURCE):
    """Both gradients from that by the pooled output, which is spread out only for a direct method."""
    whole = _pixels(dy, SOURCE)
    for_weight, for_input = suits(weight, 1, whole, whole), suits(weight, 1, _pixels(dx), whole)
    dz = None if for_weight and for_input else fused.unpooled(dy, routes, int(SOURCE == MAXPOOLED))
    if for_weight:
        _backward_weight(x, dy, routes, top, left, dweight, dbias, SOURCE)
    else:
        conv2d.conv2d_backward_weight(x, dz, 1, top, left, dweight, dbias)
    if for_input:
        _backward_input(dy, routes, weight, top, left, x, dx, SOURCE, MASKED if rectified else WHOLE)
    else:
        conv2d.backward_input(dz, weight, 1, top, left, x, dx, int(rectified))


@cache
def _kernels(FLIP):
    @njit(parallel=True, nogil=True, cache=True)
    def winograd_kernels(weight, u):
        K, R, S = u.shape
        groups = S // LANES
        for t in prange(R * groups):
            _transform_kernels(weight, u, t // groups, t % groups * LANES, LANES, FLIP)

    return winograd_kernels


@cache
def _convolution(N, M, SOURCE, ENDING):
    """The convolution by N channels of M tiles at a time, of x as SOURCE says, into y as ENDING says."""
    POOLED = 2 if ENDING in (MAXPOOLED, AVGPOOLED) else 1

    @njit(parallel=True, nogil=True, cache=True)
    def winograd_convolution(x, routes, u, bias, top, left, y_routes, mask, y):
        B, O, I, J, L = y.shape
        K, C, _ = u.shape
        across = (J * POOLED + 3) // 4
        tiles = across * ((I * POOLED + 3) // 4)
        groups = (tiles + M - 1) // M
        for unit in prange(B * groups):
            v = np.empty((36, C * M + 1, LANES), np.float32)  # one vector more: no strides of whole pages
            m = np.empty((36, N * M + 1, LANES), np.float32)
            b, t0 = unit // groups, unit % groups * M
            for c in range(C):
                _transform_input(x, routes, v, top, left, across, b, c, t0, M, SOURCE)
            for o0 in range(0, O, N):
                for k in range(36):
                    _multiply(u, v, m, o0, k, N, M)
                for n in range(min(N, O - o0)):
                    for t in range(min(M, tiles - t0)):
                        i, j = (t0 + t) // across * 4, (t0 + t) % across * 4
                        _finish(m, n * M + t, bias, y_routes, mask, y, b, o0 + n, i, j, ENDING)

    return winograd_convolution


@cache
def _weight_gradient(N, M, INPUTS, SOURCE):
    """The weight gradient by tiles of N x M * LANES sums; INPUTS: 1 turns the lanes of x, 0 those of dy."""
    POOLED = 1 if SOURCE == WHOLE else 2

    @njit(parallel=True, nogil=True, cache=True)
    def winograd_weight_gradient(x, dy, routes, top, left, dweight, dbias):
        B, C, H, W, L = x.shape
        B, O, I, J, L = dy.shape
        R, S = (O, C) if INPUTS else (C, O)
        across = (J * POOLED + 3) // 4
        groups = (across * ((I * POOLED + 3) // 4) + T - 1) // T
        parts = min(B * groups, PARTS)
        lane_groups = (S + LANES - 1) // LANES
        sums = np.zeros((parts, 36, R, lane_groups * LANES), np.float32)
        biases = np.zeros((parts, O, LANES), np.float32)
        for part in prange(parts):
            v = np.empty((36, C * T + 1, LANES), np.float32)
            m = np.empty((36, O * T + 1, LANES), np.float32)
            for unit in range(part * B * groups // parts, (part + 1) * B * groups // parts):
                b, t0 = unit // groups, unit % groups * T
                for c in range(C):
                    _transform_input(x, routes, v, top, left, across, b, c, t0, T, WHOLE)
                for o in range(O):
                    _transform_gradient(dy, routes, m, biases, part, across, b, o, t0, T, SOURCE)
                for k in range(36):
                    for s0 in range(0, S, M * LANES):
                        if INPUTS:
                            _add_products(m, v, sums, part, k, s0, N, T, M, LANES)
                        else:
                            _add_products(v, m, sums, part, k, s0, N, T, M, LANES)
        for t in prange(R * lane_groups):
            _kernel_gradient(sums, dweight, t // lane_groups, t % lane_groups * LANES, LANES, INPUTS)
        for o in range(O):
            _bias_gradient(biases, dbias, o)

    return winograd_weight_gradient
