"""Winograd's method on a GPU: each block of warps computes a tile of 4 x 4 pixels of 16 channels.

Only the transformed kernels go through memory. The points of a tile of the input are in shared memory, and its products
in registers: through memory, they would take longer than direct sums on most GPUs. Weight gradients are direct sums.

`pays` compares instructions of a multiprocessor, as scripts/gpu_model.py does for the counts of the interpreter of PTX.
"""

from functools import cache
from math import ceil

from numba import cuda

from fastdigits.ops.conv2d import cuda as conv2d
from fastdigits.ops.cuda.device import scratch
from fastdigits.ops.cuda.launch import LANES, blocks, kernel, shared_array, warp_number
from fastdigits.ops.fused import cuda as fused
from fastdigits.ops.fused.epilogues import PLAIN, RELU_AVGPOOL, RELU_MAXPOOL, RELU_ONLY, pool_size
from fastdigits.ops.fused.kernel import store_input_gradient, store_output, store_pooled
from fastdigits.ops.lanes import broadcast, splat, tile
from fastdigits.ops.variants.winograd.cuda_kernel import (
    add_channels,
    share_kernels,
    share_points,
    share_sums,
    transform_kernel,
    two_rows,
)

N, M = 16, 8  # channels of the result of a block, and of one of its warps
STEP = 4  # channels of the input that are transformed at a time
WARPS = 12  # of a block: one for each half of the N channels and each of six columns of points
TOGETHER = 2  # channels of a warp whose sums are exchanged at a time
ROWS = STEP * 36  # rows of N transformed kernels in shared memory

MULTIPROCESSORS = 132  # of a large GPU, on which small layers take few of them
DIRECT = 13  # instructions of direct sums for a pixel, a channel of the input and one of the result
CHANNEL, END = 1320, 6300  # instructions of a block for a channel of the input, and at its end
LAUNCH = 12_000  # instructions in the time of the kernel that transforms the weights


def conv2d_forward(x, weight, bias, stride, top, left, y):
    """See conv2d.reference.conv2d_forward. Each block of warps computes a tile of y."""
    if suits(weight, stride, y, PLAIN):
        _convolve(x, weight, bias, top, left, y, y, PLAIN)
    else:
        conv2d.conv2d_forward(x, weight, bias, stride, top, left, y)


def conv2d_relu_forward(x, weight, bias, stride, top, left, y):
    """See fused.reference.conv2d_relu_forward. Each block of warps computes a tile of y."""
    if suits(weight, stride, y, RELU_ONLY):
        _convolve(x, weight, bias, top, left, y, y, RELU_ONLY)
    else:
        fused.conv2d_relu_forward(x, weight, bias, stride, top, left, y)


def conv2d_relu_maxpool_forward(x, weight, bias, top, left, y, pool_mask):
    """See fused.reference.conv2d_relu_maxpool_forward. Each block of warps computes a tile before pooling."""
    if suits(weight, 1, y, RELU_MAXPOOL):
        _convolve(x, weight, bias, top, left, y, pool_mask, RELU_MAXPOOL)
    else:
        fused.conv2d_relu_maxpool_forward(x, weight, bias, top, left, y, pool_mask)


def conv2d_relu_avgpool_forward(x, weight, bias, top, left, y, pool_mask):
    """See fused.reference.conv2d_relu_avgpool_forward. Each block of warps computes a tile before pooling."""
    if suits(weight, 1, y, RELU_AVGPOOL):
        _convolve(x, weight, bias, top, left, y, pool_mask, RELU_AVGPOOL)
    else:
        fused.conv2d_relu_avgpool_forward(x, weight, bias, top, left, y, pool_mask)


def conv2d_backward(x, dy, weight, stride, top, left, relu_input, dx, dweight, dbias):
    """See fused.reference.conv2d_backward. Warps compute tiles of dweight, concurrently with blocks of warps for dx."""
    fused.backward(x, dy, weight, stride, top, left, relu_input, dx, dweight, dbias, backward_input)


def conv2d_relu_maxpool_backward(x, dy, pool_mask, weight, top, left, relu_input, dx, dweight, dbias):
    """See fused.reference.conv2d_relu_maxpool_backward. The work is divided as in conv2d_backward."""
    fused.pooled_backward(
        x, dy, pool_mask, weight, top, left, relu_input, dx, dweight, dbias, RELU_MAXPOOL, backward_input
    )


def conv2d_relu_avgpool_backward(x, dy, pool_mask, weight, top, left, relu_input, dx, dweight, dbias):
    """See fused.reference.conv2d_relu_avgpool_backward. The work is divided as in conv2d_backward."""
    fused.pooled_backward(
        x, dy, pool_mask, weight, top, left, relu_input, dx, dweight, dbias, RELU_AVGPOOL, backward_input
    )


def backward_input(gradient, weight, stride, top, left, x, dx, RELU_INPUT):
    """See conv2d.cuda.backward_input. Each block of warps computes a tile of dx."""
    O, C, P, Q = weight.shape
    if (P, Q, stride) == (3, 3, 1) and pays(len(dx), O, C, *dx.shape[2:4]):
        u = _transformed(weight, 1, gradient.scratch)
        _backward_input(O, 2 - top - gradient.top, 2 - left - gradient.left, RELU_INPUT)(gradient.array, u, x, dx)
    else:
        conv2d.backward_input(gradient, weight, stride, top, left, x, dx, RELU_INPUT)


def suits(weight, stride, y, EPILOGUE):
    """Return whether a convolution has 3 x 3 kernels and stride 1, and is faster by Winograd's method."""
    O, C, P, Q = weight.shape
    I, J = (size * pool_size(EPILOGUE) for size in y.shape[2:4])
    return (P, Q, stride) == (3, 3, 1) and pays(len(y), C, O, I, J)


@cache
def pays(images, inputs, outputs, rows, columns):
    """Return whether Winograd's method is estimated to be at least 10 % faster than direct sums for these sizes."""
    tiles = images * ceil(rows / 4) * ceil(columns / 4) * ceil(outputs / N)
    own = ceil(tiles / MULTIPROCESSORS) * (inputs * CHANNEL + END) + LAUNCH
    return 1.1 * own < images * rows * columns * inputs * outputs * DIRECT / MULTIPROCESSORS


def _convolve(x, weight, bias, top, left, y, pool_mask, EPILOGUE):
    u = _transformed(weight, 0, 0)
    _forward(weight.shape[1], top, left, EPILOGUE)(x, u, bias, y, pool_mask)


def _transformed(weight, BACK, used):
    """Return the transformed kernels in scratch memory, of which the first `used` numbers are taken.

    They are (groups, channels * 36, N), from each channel of the input to N channels of the result.
    """
    O, C, _, _ = weight.shape
    inputs, outputs = (O, C) if BACK else (C, O)
    groups, channels = ceil(outputs / N), ceil(inputs / STEP) * STEP
    size = groups * channels * 36 * N
    u = scratch(size, used)
    _transform(BACK)(weight, u.reshape(groups, channels, 36, N))
    return u.reshape(groups, channels * 36, N)


@cache
def _transform(BACK):
    @kernel(lambda weight, u: (blocks(ceil(u.shape[0] * u.shape[1] * N / LANES)),), writes=["u"])
    def transform_kernels(weight, u):
        G, K, points, _ = u.shape
        e = warp_number() * LANES + cuda.threadIdx.x
        if e < G * K * N:
            transform_kernel(weight, u, e // N // K, e // N % K, e % N, BACK)

    return transform_kernels


def _tiles(u, rows, columns, images):
    """Return the grid with a block of warps for each tile; those that read the same pixels are adjacent."""
    return len(u) * ceil(columns / 4), ceil(rows / 4), images


@cache
def _forward(C, TOP, LEFT, EPILOGUE):
    POOL = pool_size(EPILOGUE)

    @kernel(lambda x, u, bias, y, mask: _tiles(u, y.shape[2] * POOL, y.shape[3] * POOL, len(y)), WARPS)
    def winograd_forward(x, u, bias, y, pool_mask):
        B, O, I, J, L = y.shape
        lane, warp, b = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.z
        g, i0, j0 = cuda.blockIdx.x % len(u), cuda.blockIdx.y * 4, cuda.blockIdx.x // len(u) * 4
        part, q, c, rows = warp & 1, warp >> 1, warp & 3, warp >> 2
        points, kernels = shared_array(STEP, 6, 6, LANES), shared_array(ROWS, N)
        acc = tile(6, M)
        for p in range(6):
            for m in range(M):
                acc[p, m] = splat(0.0)
        for c0 in range(0, C, STEP):
            if C % STEP == 0 or c0 + c < C:
                share_points(x, points, b, c0 + c, i0 - TOP, j0 - LEFT, c, rows)
            share_kernels(u, kernels, g, c0 * 36, warp * LANES + lane, WARPS * LANES, ROWS)
            cuda.syncthreads()
            add_channels(points, kernels, acc, STEP if C % STEP == 0 else min(STEP, C - c0), q, part * M, M)
            cuda.syncthreads()
        for turn in range(M // TOGETHER):
            share_sums(acc, points, turn, part, q, M, TOGETHER)
            cuda.syncthreads()
            o, i = g * N + c // TOGETHER * M + turn * TOGETHER + c % TOGETHER, i0 + rows * 2
            if rows < 2 and o < O and i < I * POOL:
                sums = tile(2, 4)
                two_rows(points, sums, c, rows * 2)
                v = broadcast(bias, (o,))
                if POOL == 2:
                    for k in range(2):
                        if j0 // 2 + k < J:
                            window = tile(4)
                            for s in range(4):
                                window[s] = v + sums[s // 2, 2 * k + s % 2]
                            store_pooled(window, y, pool_mask, (b, o, i // 2, j0 // 2 + k), EPILOGUE == RELU_MAXPOOL)
                else:
                    for r in range(2):
                        for k in range(4):
                            if i + r < I and j0 + k < J:
                                store_output(y, (b, o, i + r, j0 + k), v + sums[r, k], EPILOGUE == RELU_ONLY)
            cuda.syncthreads()

    return winograd_forward


@cache
def _backward_input(O, TOP, LEFT, RELU_INPUT):
    @kernel(lambda dy, u, x, dx: _tiles(u, *dx.shape[2:4], len(dx)), WARPS, writes=["dx"])
    def winograd_backward_input(dy, u, x, dx):
        B, C, H, W, L = dx.shape
        lane, warp, b = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.z
        g, h0, w0 = cuda.blockIdx.x % len(u), cuda.blockIdx.y * 4, cuda.blockIdx.x // len(u) * 4
        part, q, o, rows = warp & 1, warp >> 1, warp & 3, warp >> 2
        points, kernels = shared_array(STEP, 6, 6, LANES), shared_array(ROWS, N)
        acc = tile(6, M)
        for p in range(6):
            for m in range(M):
                acc[p, m] = splat(0.0)
        for o0 in range(0, O, STEP):  # in the order of the forward pass, NVVM 12.2 would spill registers
            share_kernels(u, kernels, g, o0 * 36, warp * LANES + lane, WARPS * LANES, ROWS)
            if O % STEP == 0 or o0 + o < O:
                share_points(dy, points, b, o0 + o, h0 - TOP, w0 - LEFT, o, rows)
            cuda.syncthreads()
            add_channels(points, kernels, acc, STEP if O % STEP == 0 else min(STEP, O - o0), q, part * M, M)
            cuda.syncthreads()
        for turn in range(M // TOGETHER):
            share_sums(acc, points, turn, part, q, M, TOGETHER)
            cuda.syncthreads()
            c, h = g * N + o // TOGETHER * M + turn * TOGETHER + o % TOGETHER, h0 + rows * 2
            if rows < 2 and c < C and h < H:
                sums = tile(2, 4)
                two_rows(points, sums, o, rows * 2)
                for k in range(4):
                    for r in range(2):
                        if h + r < H and w0 + k < W:
                            store_input_gradient(x, dx, (b, c, h + r, w0 + k), sums[r, k], RELU_INPUT)
            cuda.syncthreads()

    return winograd_backward_input
