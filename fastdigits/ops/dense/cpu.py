"""The dense layer on the CPU: cores compute groups of rows. A function is compiled for each tile shape."""

from functools import cache

from numba import get_num_threads, prange

from fastdigits.ops.dense import cpu_kernel, kernel
from fastdigits.ops.lanes import bind, cpu
from fastdigits.ops.lanes.tiling import NEW_LINE, shared_columns, tile_rows, tile_shape
from fastdigits.ops.lanes.vector_unit import LANES

_forward_tile = bind(cpu_kernel.forward_tile, cpu)
_backward_input_tile = bind(cpu_kernel.backward_input_tile, cpu)
_backward_weight_columns = bind(cpu_kernel.backward_weight_columns, cpu)
_backward_bias = bind(kernel.backward_bias, cpu)

MIN_ROWS = 64  # smaller layers use the tile for this size, so that the last layer needs no other kernels
SLAB = 64 // LANES  # blocks transposed at a time: 16 KiB, half of the first-level cache


def dense_forward(x, weight, bias, y):
    """See reference.dense_forward. Each core computes whole groups of N outputs."""
    forward(x, weight, bias, y, 0)


def dense_backward_input(dy, weight, dx):
    """See reference.dense_backward_input. Each core computes whole groups of N inputs."""
    backward_input(dy, weight, dx, dx, 0)


def dense_backward_weight(x, dy, dweight, dbias):
    """See reference.dense_backward_weight. Each core computes whole columns of dweight."""
    M = shared_columns(-(-dweight.shape[1] // LANES), get_num_threads())
    _backward_weight(tile_rows(max(MIN_ROWS, dweight.shape[0]), M), M)(x, dy, dweight, dbias)


def forward(x, weight, bias, y, relu):
    """Run dense_forward, or dense_relu_forward if relu is 1."""
    _forward(*tile_shape(max(MIN_ROWS, y.shape[1]), y.shape[0], NEW_LINE))(x, weight, bias, y, relu)


def backward_input(dy, weight, x, dx, relu_input):
    """Run dense_backward_input, or dense_backward_input_relu if relu_input is 1."""
    _backward_input(*tile_shape(max(MIN_ROWS, dx.shape[1]), dx.shape[0], NEW_LINE))(dy, weight, x, dx, relu_input)


@cache
def _forward(N, M):
    @cpu.parallel
    def dense_forward(x, weight, bias, y, relu):
        B, O, L = y.shape
        for t in prange((O + N - 1) // N):
            for b0 in range(0, B, M):
                _forward_tile(x, weight, bias, y, t * N, b0, N, M, relu)

    return dense_forward


@cache
def _backward_input(N, M):
    @cpu.parallel
    def dense_backward_input(dy, weight, x, dx, relu_input):
        B, K, L = dx.shape
        for t in prange((K + N - 1) // N):
            for b0 in range(0, B, M):
                _backward_input_tile(dy, weight, x, dx, t * N, b0, N, M, relu_input)

    return dense_backward_input


@cache
def _backward_weight(N, M):
    @cpu.parallel
    def dense_backward_weight(x, dy, dweight, dbias):
        O, K = dweight.shape
        groups = (K + M * LANES - 1) // (M * LANES)
        for t in prange(groups):
            _backward_weight_columns(x, dy, dweight, t * M * LANES, N, M, SLAB, LANES)
            for o in range(t * O // groups, (t + 1) * O // groups):
                _backward_bias(dy, dbias, o)

    return dense_backward_weight
