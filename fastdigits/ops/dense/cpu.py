"""The dense layer on the CPU: cores compute groups of rows. A function is compiled for each tile shape."""

from functools import cache

import numpy as np
from numba import get_num_threads, prange

from fastdigits.ops.dense import cpu_kernel
from fastdigits.ops.lanes import bind, cpu
from fastdigits.ops.lanes.tiling import NEW_LINE, most_rows, strip_columns, strip_tile, tile_shape
from fastdigits.ops.lanes.vector_unit import LANES, REGISTERS

_forward_rows = bind(cpu_kernel.forward_rows, cpu)
_backward_strip = bind(cpu_kernel.backward_strip, cpu)
_backward_input_strip = bind(cpu_kernel.backward_input_strip, cpu)

MIN_ROWS = 64  # smaller layers use the tile for this size, so that the last layer needs no other kernels
SLAB = 2048 // LANES // REGISTERS  # blocks transposed at a time: 8 to 20 KiB, in the first-level cache
ALONE = 60_000  # with fewer multiply-adds of vectors, one core is done before a second one has started


def dense_forward(x, weight, bias, y):
    """See reference.dense_forward. Each core computes whole groups of N outputs."""
    forward(x, weight, bias, y, 0)


def dense_backward_input(dy, weight, dx):
    """See reference.dense_backward_input. Each core computes whole strips of inputs."""
    W = _strip_vectors(dx) * LANES
    _backward_input(W, *strip_tile(W, len(dx)))(dy, weight, dx)


def dense_backward_weight(x, dy, dweight, dbias):
    """See reference.dense_backward_weight. Each core computes strips of columns of dweight."""
    _backward_strips(x, dy, dweight, x, dweight, dbias, 0, 0)


def forward(x, weight, bias, y, relu):
    """Run dense_forward, or dense_relu_forward if relu is 1."""
    _forward(*tile_shape(max(MIN_ROWS, y.shape[1]), y.shape[0], NEW_LINE))(x, weight, bias, y, relu)


def backward(x, dy, weight, dx, dweight, dbias, relu_input):
    """Run dense_backward, with relu_input as 0 or 1. Each core computes both gradients of strips of inputs."""
    _backward_strips(x, dy, weight, dx, dweight, dbias, 1, relu_input)


def _backward_strips(x, dy, weight, dx, dweight, dbias, fills_dx, relu_input):
    M = _strip_vectors(x)
    tiles = (most_rows(M), M, *strip_tile(M * LANES, len(x)))
    _backward(*tiles)(x, dy, weight, dx, dweight, dbias, fills_dx, relu_input)


def _strip_vectors(x):
    """Return the number of vectors of inputs in a strip."""
    return strip_columns(-(-x.shape[1] // LANES), get_num_threads())


@cache
def _forward(N, M):
    @cpu.parallel
    def dense_forward(x, weight, bias, y, relu):
        B, O, L = y.shape
        groups = (O + N - 1) // N
        if B * weight.size < ALONE:
            for t in range(groups):
                _forward_rows(x, weight, bias, y, t * N, N, M, relu)
        else:
            for t in prange(groups):
                _forward_rows(x, weight, bias, y, t * N, N, M, relu)

    return dense_forward


@cache
def _backward_input(W, N, M):
    @cpu.parallel
    def dense_backward_input(dy, weight, dx):
        B, K, L = dx.shape
        for t in prange((K + W - 1) // W):
            _backward_input_strip(dy, weight, dx, dx, t * W, W, N, M, 0)

    return dense_backward_input


@cache
def _backward(NW, MW, N, M):
    W = MW * LANES

    @cpu.parallel
    def dense_backward(x, dy, weight, dx, dweight, dbias, fills_dx, relu_input):
        O, K = dweight.shape
        T = (K + W - 1) // W
        if len(x) * dweight.size * (1 + fills_dx) < ALONE:
            for t in range(T):
                _backward_strip(
                    x, dy, weight, dx, dweight, dbias, t, T, fills_dx, relu_input, W, N, M, NW, MW, SLAB, LANES
                )
        else:
            for t in prange(T):
                _backward_strip(
                    x,
                    dy,
                    weight,
                    dx,
                    dweight,
                    dbias,
                    np.int64(t),
                    T,
                    fills_dx,
                    relu_input,
                    W,
                    N,
                    M,
                    NW,
                    MW,
                    SLAB,
                    LANES,
                )

    return dense_backward
