"""Which warp computes which tile. The tile's shape is compiled in, one kernel for each shape that is needed.

Where a layer has few images and outputs, its tiles are few, and a single warp would wait for memory at each of a
tile's hundreds of products. So a block of warps shares out the products of a tile and adds up its sums at last.
"""

from functools import cache

from numba import cuda, float32

from fastdigits.ops.dense.kernel import add_input, add_output, backward_bias
from fastdigits.ops.lanes import broadcast, fma, load, maximum, put, select, splat, store, sum_lanes, tile
from fastdigits.ops.launch import LANES, blocks, kernel, warp_number

PARTS, STEP = 16, 8  # warps that share out the products, and how many of them each takes at a time


def dense_forward(x, weight, bias, y):
    """See reference.dense_forward. A block of warps owns a tile of N outputs and M blocks of images."""
    forward(x, weight, bias, y, 0)


def dense_backward_input(dy, weight, dx):
    """See reference.dense_backward_input. A block of warps owns a tile of N inputs and M blocks of images."""
    backward_input(dy, weight, dx, dx, 0)


def dense_backward_weight(x, dy, dweight, dbias):
    """See reference.dense_backward_weight. A warp owns a tile of N outputs and M inputs, over all images."""
    _backward_weight(4, 4)(x, dy, dweight, dbias)


def forward(x, weight, bias, y, RELU):
    """dense_forward, or dense_relu_forward where RELU is 1."""
    _forward(*_tile_shape(y), RELU)(x, weight, bias, y)


def backward_input(dy, weight, x, dx, RELU):
    """dense_backward_input, or dense_backward_input_relu where RELU is 1."""
    _backward_input(*_tile_shape(dx), RELU)(dy, weight, x, dx)


def _tile_shape(y):
    """Rows N and blocks of images M of a tile: few where there are few images, so that all of the GPU has work."""
    return (4, 1) if len(y) < 32 else (4, 4)


def _tiles(y, N, M):
    """The grid with a block of warps for each tile of y."""
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
        for n in range(N):
            for m in range(M):
                acc[n, m] = splat(0.0)
        for first in range(part * STEP, K, PARTS * STEP):
            if first + STEP <= K:
                for k in range(STEP):  # written out, so that all is loaded at once
                    add_input(x, weight, acc, o0, b0, first + k, N, M)
            else:
                for k in range(first, K):
                    add_input(x, weight, acc, o0, b0, k, N, M)
        sums = cuda.shared.array((PARTS, N, M, LANES), float32)
        for n in range(N):
            for m in range(M):
                sums[part, n, m, lane] = acc[n, m]
        cuda.syncthreads()
        for s in range(part, N * M, PARTS):
            n, m = s // M, s % M
            if o0 + n < O and b0 + m < B:
                total = broadcast(bias, (o0 + n,))
                for other in range(PARTS):
                    total += sums[other, n, m, lane]
                store(y, (b0 + m, o0 + n), maximum(splat(0.0), total) if RELU else total)

    return dense_forward


@cache
def _backward_input(N, M, RELU):
    @kernel(lambda dy, weight, x, dx: _tiles(dx, N, M), PARTS)
    def dense_backward_input(dy, weight, x, dx):
        B, O, L = dy.shape
        B, K, L = dx.shape
        lane, part = cuda.threadIdx.x, cuda.threadIdx.y
        k0, b0 = cuda.blockIdx.x * N, cuda.blockIdx.y * M
        acc = tile(N, M)
        for n in range(N):
            for m in range(M):
                acc[n, m] = splat(0.0)
        for first in range(part * STEP, O, PARTS * STEP):
            if first + STEP <= O:
                for o in range(STEP):
                    add_output(dy, weight, acc, k0, b0, first + o, N, M)
            else:
                for o in range(first, O):
                    add_output(dy, weight, acc, k0, b0, o, N, M)
        sums = cuda.shared.array((PARTS, N, M, LANES), float32)
        for n in range(N):
            for m in range(M):
                sums[part, n, m, lane] = acc[n, m]
        cuda.syncthreads()
        for s in range(part, N * M, PARTS):
            n, m = s // M, s % M
            if k0 + n < K and b0 + m < B:
                total, at = splat(0.0), (b0 + m, k0 + n)
                for other in range(PARTS):
                    total += sums[other, n, m, lane]
                store(dx, at, select(load(x, at) > splat(0.0), total, splat(0.0)) if RELU else total)

    return dense_backward_input


@cache
def _backward_weight(N, M):
    @kernel(lambda x, dy, dweight, dbias: (blocks(-(-x.shape[1] // M)), -(-dy.shape[1] // N)))
    def dense_backward_weight(x, dy, dweight, dbias):
        B, K, L = x.shape
        B, O, L = dy.shape
        k0, o0 = warp_number() * M, cuda.blockIdx.y * N
        acc = tile(N, M)
        for n in range(N):
            for m in range(M):
                acc[n, m] = splat(0.0)
        for b in range(B):
            xs = tile(M)
            for m in range(M):
                xs[m] = load(x, (b, min(k0 + m, K - 1)))
            for n in range(N):
                d = load(dy, (b, min(o0 + n, O - 1)))
                for m in range(M):
                    acc[n, m] = fma(xs[m], d, acc[n, m])
        for n in range(N):
            for m in range(M):
                if o0 + n < O and k0 + m < K:
                    put(dweight, (o0 + n, k0 + m), sum_lanes(acc[n, m]))
            if k0 == 0 and o0 + n < O:
                backward_bias(dy, dbias, o0 + n)

    return dense_backward_weight
