"""The dense layer on a GPU: each block of warps computes a tile. A kernel is compiled for each tile shape.

A layer with few images and outputs has few tiles, and a single warp would wait for memory at each of the hundreds of
products of a tile. So the warps of a block share these products, and their sums are added up at the end.
"""

from functools import cache

from numba import cuda, float32

from fastdigits.ops.cuda.launch import LANES, blocks, kernel, warp_number
from fastdigits.ops.dense.cuda_kernel import add_inputs, add_outputs, share_tile, sum_parts, zero_tile
from fastdigits.ops.dense.kernel import add_input, add_output, backward_bias
from fastdigits.ops.fused.kernel import store_input_gradient, store_output
from fastdigits.ops.lanes import broadcast, fma, load, store_sums, tile

PARTS, STEP = 16, 8  # warps that share the products of a tile; products that a warp loads at once


def dense_forward(x, weight, bias, y):
    """See reference.dense_forward. Each block of warps computes a tile of N outputs and M blocks of images."""
    forward(x, weight, bias, y, 0)


def dense_backward_input(dy, weight, dx):
    """See reference.dense_backward_input. Each block of warps computes a tile of N inputs and M blocks of images."""
    backward_input(dy, weight, dx, dx, 0)


def dense_backward_weight(x, dy, dweight, dbias):
    """See reference.dense_backward_weight. Each warp computes a tile of N outputs and M inputs, over all images."""
    _backward_weight(4, 16)(x, dy, dweight, dbias)


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
            if first + STEP <= K:
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
    @kernel(lambda dy, weight, x, dx: _tiles(dx, N, M), PARTS)
    def dense_backward_input(dy, weight, x, dx):
        B, O, L = dy.shape
        B, K, L = dx.shape
        lane, part = cuda.threadIdx.x, cuda.threadIdx.y
        k0, b0 = cuda.blockIdx.x * N, cuda.blockIdx.y * M
        acc = tile(N, M)
        zero_tile(acc, N, M)
        for first in range(part * STEP, O, PARTS * STEP):
            if first + STEP <= O and k0 + N <= K:
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
def _backward_weight(N, M):
    @kernel(lambda x, dy, dweight, dbias: (blocks(-(-dy.shape[1] // N)), -(-x.shape[1] // M)))
    def dense_backward_weight(x, dy, dweight, dbias):
        B, K, L = x.shape
        B, O, L = dy.shape
        o0, k0 = warp_number() * N, cuda.blockIdx.y * M
        if o0 < O:
            acc = tile(N, M)
            zero_tile(acc, N, M)
            for b in range(B):
                xs = tile(M)
                for m in range(M):
                    xs[m] = load(x, (b, min(k0 + m, K - 1)))
                for n in range(N):
                    d = load(dy, (b, min(o0 + n, O - 1)))
                    for m in range(M):
                        acc[n, m] = fma(xs[m], d, acc[n, m])
            store_sums(dweight, (o0, k0), acc)
            if k0 == 0:
                for o in range(o0, min(o0 + N, O)):
                    backward_bias(dy, dbias, o)

    return dense_backward_weight
