"""The dense layer on a GPU: each block of warps computes a tile. A kernel is compiled for each tile shape.

A layer with few images and outputs has few tiles, and a single warp would wait for memory at each of the hundreds of
products of a tile. So the warps of a block share these products, and their sums are added up at the end.
"""

from functools import cache
from math import ceil

from numba import cuda, float32

from fastdigits.ops.cuda.launch import LANES, kernel
from fastdigits.ops.dense.cuda_kernel import (
    add_images,
    add_inputs,
    add_outputs,
    share_inputs,
    share_tile,
    sum_parts,
    zero_tile,
)
from fastdigits.ops.dense.kernel import add_input, add_output, backward_bias
from fastdigits.ops.fused.kernel import store_input_gradient, store_output
from fastdigits.ops.lanes import broadcast, splat, store_row, tile

PARTS, STEP = 16, 8  # warps that share the products of a tile; products that a warp loads at once
MAX_OUTPUTS, IMAGE_PARTS = 16, 4  # outputs of a tile of a weight gradient; warps that share its images
MAX_RAGGED_OUTPUTS = 15  # if some tiles lack outputs; with 16, NVVM 12.2 spills registers for capability 9.0
ROW = LANES + 1  # numbers of a row of inputs in shared memory: no two lanes of a column are in the same bank


def dense_forward(x, weight, bias, y):
    """See reference.dense_forward. Each block of warps computes a tile of N outputs and M blocks of images."""
    forward(x, weight, bias, y, 0)


def dense_backward_input(dy, weight, dx):
    """See reference.dense_backward_input. Each block of warps computes a tile of N inputs and M blocks of images."""
    backward_input(dy, weight, dx, dx, 0)


def dense_backward_weight(x, dy, dweight, dbias):
    """See reference.dense_backward_weight. Each block of warps computes a tile of N outputs and 32 inputs."""
    O = len(dweight)
    N = _equal_tiles(O, MAX_OUTPUTS)
    if O % N:
        N = _equal_tiles(O, MAX_RAGGED_OUTPUTS)
    _backward_weight(N, int(O % N > 0))(x, dy, dweight, dbias)


def _equal_tiles(outputs, most):
    """Return the outputs of a tile, of which the fewest possible tiles with at most `most` are about equal."""
    return ceil(outputs / ceil(outputs / most))


def forward(x, weight, bias, y, RELU):
    """Run dense_forward, or dense_relu_forward if RELU is 1."""
    _forward(*_tile_shape(y), RELU)(x, weight, bias, y)


def backward_input(dy, weight, x, dx, RELU_INPUT):
    """Run dense_backward_input, or as part of dense_backward with RELU_INPUT as its relu_input."""
    _backward_input(*_tile_shape(dx), RELU_INPUT)(dy, weight, x, dx)


def _tile_shape(y):
    """Return the rows N and blocks M of a tile: small for small layers, so that there is work for the whole GPU."""
    if len(y) >= 32:
        return 4, 4
    return (8, 1) if y.shape[1] >= 256 else (4, 1)


def _tiles(y, N, M):
    """Return the grid with a block of warps for each tile of y."""
    B, R, L = y.shape
    return -(-R // N), -(-B // M)


@cache
def _forward(N, M, RELU):
    @kernel(lambda x, weight, bias, y: _tiles(y, N, M), PARTS)
    def dense_forward(x, weight, bias, y):
        B, K, L = x.shape
        B, O, L = y.shape
        lane, part = cuda.threadIdx.x, cuda.threadIdx.y
        o0, b0 = cuda.blockIdx.x * N, cuda.blockIdx.y * M
        acc = tile(N, M)
        zero_tile(acc, N, M)
        for first in range(part * STEP, K, PARTS * STEP):
            if K % STEP == 0 or first + STEP <= K:
                add_inputs(x, weight, acc, o0, b0, first, N, M, STEP)
            else:
                for k in range(first, K):
                    add_input(x, weight, acc, o0, b0, k, N, M)
        sums = cuda.shared.array((PARTS, N, M, LANES), float32)
        share_tile(acc, sums, part, lane, N, M)
        cuda.syncthreads()
        for s in range(part, N * M, PARTS):
            n, m = s // M, s % M
            if o0 + n < O and b0 + m < B:
                sum_ = broadcast(bias, (o0 + n,)) + sum_parts(sums, n, m, lane, PARTS)
                store_output(y, (b0 + m, o0 + n), sum_, RELU)

    return dense_forward


@cache
def _backward_input(N, M, RELU_INPUT):
    @kernel(lambda dy, weight, x, dx: _tiles(dx, N, M), PARTS, writes=["dx"])
    def dense_backward_input(dy, weight, x, dx):
        B, O, L = dy.shape
        B, K, L = dx.shape
        lane, part = cuda.threadIdx.x, cuda.threadIdx.y
        k0, b0 = cuda.blockIdx.x * N, cuda.blockIdx.y * M
        acc = tile(N, M)
        zero_tile(acc, N, M)
        for first in range(part * STEP, O, PARTS * STEP):
            if (O % STEP == 0 or first + STEP <= O) and (K % N == 0 or k0 + N <= K):
                add_outputs(dy, weight, acc, k0, b0, first, N, M, STEP)
            else:
                for o in range(first, min(first + STEP, O)):
                    add_output(dy, weight, acc, k0, b0, o, N, M)
        sums = cuda.shared.array((PARTS, N, M, LANES), float32)
        share_tile(acc, sums, part, lane, N, M)
        cuda.syncthreads()
        for s in range(part, N * M, PARTS):
            n, m = s // M, s % M
            if k0 + n < K and b0 + m < B:
                d = sum_parts(sums, n, m, lane, PARTS)
                store_input_gradient(x, dx, (b0 + m, k0 + n), d, RELU_INPUT)

    return dense_backward_input


@cache
def _backward_weight(N, RAGGED):
    def grid(x, dy, dweight, dbias):
        return ceil(x.shape[1] / LANES), ceil(dy.shape[1] / N)

    @kernel(grid, IMAGE_PARTS, writes=["dweight", "dbias"])
    def dense_backward_weight(x, dy, dweight, dbias):
        """Each thread sums the gradients of N weights of an input: lanes are inputs, not images."""
        B, K, L = x.shape
        B, O, L = dy.shape
        lane, part = cuda.threadIdx.x, cuda.threadIdx.y
        k0, o0 = cuda.blockIdx.x * LANES, cuda.blockIdx.y * N
        inputs = cuda.shared.array((IMAGE_PARTS, LANES, ROW), float32)
        acc = tile(N)
        for n in range(N):
            acc[n] = splat(0.0)
        for b0 in range(0, B, IMAGE_PARTS):
            if b0 + part < B:
                share_inputs(x, inputs, b0 + part, k0, part, lane, LANES)
            cuda.syncthreads()
            if b0 + part < B:
                add_images(inputs, dy, acc, b0 + part, o0, part, lane, N, LANES, RAGGED)
            cuda.syncthreads()
        sums = cuda.shared.array((IMAGE_PARTS, N, 1, LANES), float32)
        for n in range(N):
            sums[part, n, 0, lane] = acc[n]
        cuda.syncthreads()
        for n in range(part, min(N, O - o0), IMAGE_PARTS):
            store_row(dweight, (o0 + n, k0), K, sum_parts(sums, n, 0, lane, IMAGE_PARTS))
            if k0 == 0:
                backward_bias(dy, dbias, o0 + n)

    return dense_backward_weight
