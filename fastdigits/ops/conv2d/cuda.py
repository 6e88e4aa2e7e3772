"""Convolution on a GPU: each block of warps computes a tile. Tile shape, stride and padding are compiled in.

Up to four warps share the sum over the channels of an output, and many more share the sum over images and pixels of a
weight gradient. Otherwise, the few tiles of a small network would leave most of the GPU idle.
"""

from functools import cache
from math import ceil, prod
from typing import NamedTuple

from numba import cuda, float32

from fastdigits.ops.conv2d.cuda_kernel import (
    add_channel,
    add_row,
    share_tile,
    sum_parts,
    unpool_row,
    zero_columns,
    zero_tile,
)
from fastdigits.ops.conv2d.kernel import backward_input_tile
from fastdigits.ops.cuda.device import scratch
from fastdigits.ops.cuda.launch import LANES, blocks, kernel, warp_number
from fastdigits.ops.fused.epilogues import PLAIN, RELU_AVGPOOL, RELU_MAXPOOL, RELU_ONLY, pool_size
from fastdigits.ops.fused.kernel import store_input_gradient, store_output, store_pooled
from fastdigits.ops.interface import Array
from fastdigits.ops.lanes import broadcast, splat, store_sums, tile

MAX_PARTS = 4  # warps that share the channels of an output
WEIGHT_WARPS = 2048  # warps that share a weight gradient: four per scheduler of a large GPU
ADDING_WARPS = 8  # warps that add up the parts of 32 gradients
MAX_ROWS = 5  # rows of the kernel that are unrolled
MAX_SUMS = 50  # sums in registers for a tile of a weight gradient


class OutputGradient(NamedTuple):
    """The gradient of a convolution's output of I x J pixels, which begin in row `top` and column `left` of an array.

    The array takes the first `scratch` numbers of the scratch memory, or none.
    """

    array: Array
    top: int
    left: int
    I: int
    J: int
    scratch: int


def conv2d_forward(x, weight, bias, stride, top, left, y):
    """See reference.conv2d_forward. Each block of warps computes a tile of y."""
    forward(x, weight, bias, stride, top, left, y, y, PLAIN)


def conv2d_backward_input(dy, weight, stride, top, left, dx):
    """See reference.conv2d_backward_input. Each block of warps computes a tile of dx."""
    backward_input(without_border(dy), weight, stride, top, left, dx, dx, 0)


def conv2d_backward_weight(x, dy, stride, top, left, dweight, dbias):
    """See reference.conv2d_backward_weight. Each warp computes a tile of dweight from some rows of pixels."""
    backward_weight(x, without_border(dy), stride, top, left, dweight, dbias)


def forward(x, weight, bias, stride, top, left, y, pool_mask, EPILOGUE):
    """Run conv2d_forward followed by an epilogue; only pooling fills pool_mask."""
    B, C, H, W, L = x.shape
    O, C, P, Q = weight.shape
    I, J = (size * pool_size(EPILOGUE) for size in y.shape[2:4])
    N, M, T = even_part(O, 4), _columns(J, stride), even_part(Q, 7)
    padded = _reaches_out(H, P, max(I, 2), stride, top) or _reaches_out(W, ceil(Q / T) * T, max(J, M), stride, left)
    tile_shape = N, M, even_part(P, MAX_ROWS), T, int(padded), int(O % N > 0)
    _forward(*tile_shape, stride, top, left, min(C, MAX_PARTS), EPILOGUE)(x, weight, bias, y, pool_mask)


def without_border(dy):
    """Return the gradient of the output of a convolution, in an array of its size."""
    return OutputGradient(dy, 0, 0, *dy.shape[2:4], 0)


def unpool(dy, pool_mask, kernel, top, left, inputs, EPILOGUE):
    """Compute the gradient of the output of a convolution whose epilogue pools, in scratch memory.

    Zeros surround it wherever the kernels of backward_input and backward_weight read, so that these need not look for
    its borders. `inputs` are the rows and columns of the convolution's input, or (0, 0) without backward_input.
    """
    (B, O, I, J, L), (P, Q), (H, W) = dy.shape, kernel, inputs
    I, J = 2 * I, 2 * J
    M = _summed_columns(J, 1)
    rows, columns = I, ceil(J / M) * M
    before = [0, 0]
    if H:
        T = even_part(Q, 7)
        before = [max(0, P - 1 - top), max(0, Q - 1 - left)]
        first = before[0] - (P - 1 - top), before[1] - (Q - 1 - left)  # that is read
        rows = max(before[0] + I, first[0] + max(H, 2) + P - 1)
        columns = max(before[1] + columns, first[1] + max(W, _columns(W, 1)) + ceil(Q / T) * T - 1)
    dz = scratch(B * O * rows * columns * L).reshape(B, O, rows, columns, L)
    _unpool(*before, EPILOGUE)(dy, pool_mask, dz)
    return OutputGradient(dz, *before, I, J, dz.size)


def backward_input(gradient, weight, stride, top, left, x, dx, RELU_INPUT):
    """Run conv2d_backward_input; if RELU_INPUT is 1, x is the output of a ReLU and dx the gradient of its input."""
    O, C, P, Q = weight.shape
    H, W = dx.shape[2:4]
    if stride > 1:
        _backward_input_strided(even_part(C, 4), 4, stride, top, left, RELU_INPUT)(gradient.array, weight, x, dx)
        return
    I, J = gradient.array.shape[2:4]
    top, left = P - 1 - top - gradient.top, Q - 1 - left - gradient.left
    N, M, T = even_part(C, 4), _columns(W, 1), even_part(Q, 7)
    padded = _reaches_out(I, P, max(H, 2), 1, top) or _reaches_out(J, ceil(Q / T) * T, max(W, M), 1, left)
    tile_shape = N, M, even_part(P, MAX_ROWS), T, int(padded), int(C % N > 0)
    _backward_input(*tile_shape, top, left, min(O, MAX_PARTS), RELU_INPUT)(gradient.array, weight, x, dx)


def backward_weight(x, gradient, stride, top, left, dweight, dbias):
    """Run conv2d_backward_weight with the gradient of the convolution's output."""
    B, C, H, W, L = x.shape
    O, C, P, Q = dweight.shape
    dy, *border, I, J, used = gradient
    R, T, M = even_part(P, 5), even_part(Q, 5), _summed_columns(J, stride)
    N = even_part(O, max(1, min(4, MAX_SUMS // (R * T))))
    rows, columns = ceil(P / R) * R, ceil(Q / T) * T
    padded = _reaches_out(H, rows, I, stride, top) or _reaches_out(W, columns, ceil(J / M) * M, stride, left)
    padded_dy = border[1] + ceil(J / M) * M > dy.shape[3]
    tiles = ceil(O / N), C, ceil(P / R), ceil(Q / T)
    splits = min(B * I, ceil(WEIGHT_WARPS / prod(tiles)))
    parts = scratch(splits * prod(tiles) * N * (R * T + 1), used).reshape(splits, -1, R * T + 1)
    _backward_weight(N, R, T, M, stride, top, left, *border, I, J, int(padded), int(padded_dy), tiles)(x, dy, parts)
    _add_parts(N, R, T, tiles)(parts, dweight, dbias)


def even_part(size, limit):
    """Split `size` evenly into the fewest parts of at most `limit`, and return the size of the largest part."""
    return ceil(size / ceil(size / limit))


def _columns(size, stride):
    """Return the columns of a tile: an even number, for pooling, and few if the stride is too large to share pixels."""
    return 2 * even_part(ceil(size / 2), 2 if stride <= 4 else 1)


def _summed_columns(size, stride):
    """Return the columns of dy that a tile of a weight gradient adds up at a time, with few after the last one."""
    return min((4, 5, 3) if stride == 1 else (2,), key=lambda M: ceil(size / M) * M)


def _reaches_out(size, kernel, outputs, stride, before):
    """Return whether a number of outputs is computed from pixels outside of the `size` rows or columns of x."""
    return before > 0 or (outputs - 1) * stride + kernel - 1 - before >= size


def _tiles(y, N, rows, columns):
    """Return the grid with a block of warps for each tile; tiles that read the same pixels are adjacent."""
    B, C, I, J, L = y.shape
    return ceil(C / N) * ceil(J / columns), ceil(I / rows), B


@cache
def _forward(N, M, R, T, PADDED, RAGGED, S, TOP, LEFT, PARTS, EPILOGUE):
    COLUMNS, POOL = (M - 1) * S + T, pool_size(EPILOGUE)

    @kernel(lambda x, weight, bias, y, pool_mask: _tiles(y, N, 2 // POOL, M // POOL), PARTS)
    def conv2d_forward(x, weight, bias, y, pool_mask):
        B, C, H, W, L = x.shape
        B, O, I, J, L = y.shape
        lane, part, b = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.z
        groups = (O + N - 1) // N
        o0, i0, j0 = cuda.blockIdx.x % groups * N, cuda.blockIdx.y * 2, cuda.blockIdx.x // groups * M
        i1, j1 = max(min(i0, I * POOL - 2), 0), max(min(j0, J * POOL - M), 0)  # where the tile of sums begins
        acc = tile(N, 2, M)
        zero_tile(acc, N, M)
        for c in range(part, C, PARTS):
            add_channel(
                x, weight, acc, b, c, o0, i1 * S - TOP, j1 * S - LEFT, N, M, S, R, T, COLUMNS, PADDED, 0, RAGGED
            )
        sums = cuda.shared.array((PARTS, N, 2, M, LANES), float32)
        share_tile(acc, sums, part, lane, N, M)
        cuda.syncthreads()
        for n in range(part, min(N, O - o0), PARTS):
            v = broadcast(bias, (o0 + n,))
            if POOL == 2:
                for j in range(j0 // 2, min(j0 // 2 + M // 2, J)):
                    window = tile(4)
                    for k in range(4):
                        window[k] = v + sum_parts(sums, n, k // 2, 2 * j - j1 + k % 2, lane, PARTS)
                    store_pooled(window, y, pool_mask, (b, o0 + n, i0 // 2, j), EPILOGUE == RELU_MAXPOOL)
            else:
                for i in range(i0, min(i0 + 2, I)):
                    for j in range(j0, min(j0 + M, J)):
                        sum_ = v + sum_parts(sums, n, i - i1, j - j1, lane, PARTS)
                        store_output(y, (b, o0 + n, i, j), sum_, EPILOGUE == RELU_ONLY)

    return conv2d_forward


@cache
def _unpool(TOP, LEFT, EPILOGUE):
    @kernel(lambda dy, pool_mask, dz: (blocks(dy.shape[2] + 1), dy.shape[1], dy.shape[0]), writes=["dz"])
    def unpool(dy, pool_mask, dz):
        """Each warp fills the two rows of dz that are pooled to one, and the last one the rows of the border."""
        B, O, I, J, L = dy.shape
        B, O, H, W, L = dz.shape
        i, o, b = warp_number(), cuda.blockIdx.y, cuda.blockIdx.z
        if i < I:
            unpool_row(dy, pool_mask, dz, b, o, i, TOP, LEFT, EPILOGUE == RELU_AVGPOOL)
        if i == I:
            for h in range(TOP):
                zero_columns(dz, b, o, h, 0, W)
            for h in range(TOP + 2 * I, H):
                zero_columns(dz, b, o, h, 0, W)

    return unpool


@cache
def _backward_input(N, M, R, T, PADDED, RAGGED, TOP, LEFT, PARTS, RELU_INPUT):
    COLUMNS = M - 1 + T

    @kernel(lambda dy, weight, x, dx: _tiles(dx, N, 2, M), PARTS, writes=["dx"])
    def conv2d_backward_input(dy, weight, x, dx):
        B, O, I, J, L = dy.shape
        B, C, H, W, L = dx.shape
        lane, part, b = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.z
        groups = (C + N - 1) // N
        c0, h0, w0 = cuda.blockIdx.x % groups * N, cuda.blockIdx.y * 2, cuda.blockIdx.x // groups * M
        h1, w1 = max(min(h0, H - 2), 0), max(min(w0, W - M), 0)  # where the tile of sums begins
        acc = tile(N, 2, M)
        zero_tile(acc, N, M)
        for o in range(part, O, PARTS):
            add_channel(dy, weight, acc, b, o, c0, h1 - TOP, w1 - LEFT, N, M, 1, R, T, COLUMNS, PADDED, 1, RAGGED)
        sums = cuda.shared.array((PARTS, N, 2, M, LANES), float32)
        share_tile(acc, sums, part, lane, N, M)
        cuda.syncthreads()
        for n in range(part, min(N, C - c0), PARTS):
            for h in range(h0, min(h0 + 2, H)):
                for w in range(w0, min(w0 + M, W)):
                    d = sum_parts(sums, n, h - h1, w - w1, lane, PARTS)
                    store_input_gradient(x, dx, (b, c0 + n, h, w), d, RELU_INPUT)

    return conv2d_backward_input


@cache
def _backward_input_strided(N, M, S, TOP, LEFT, RELU_INPUT):
    def grid(dy, weight, x, dx):
        B, C, H, W, L = dx.shape
        return blocks(S * ceil(W / (M * S))), H, B * ceil(C / N)

    @kernel(grid, writes=["dx"])
    def conv2d_backward_input(dy, weight, x, dx):
        B, C, H, W, L = dx.shape
        groups = (C + N - 1) // N
        t, h, z = warp_number(), cuda.blockIdx.y, cuda.blockIdx.z
        w0 = t % S + t // S * M * S
        if w0 < W:
            backward_input_tile(dy, weight, S, TOP, LEFT, x, dx, z // groups, z % groups * N, h, w0, N, M, RELU_INPUT)

    return conv2d_backward_input


@cache
def _backward_weight(N, R, T, M, S, TOP, LEFT, DY_TOP, DY_LEFT, I, J, PADDED, PADDED_DY, TILES):
    COLUMNS, SUMS = (M - 1) * S + T, R * T + 1

    @kernel(lambda x, dy, parts: (blocks(prod(TILES)), len(parts)), writes=["parts"])
    def conv2d_backward_weight(x, dy, parts):
        B = len(dy)
        GROUPS, C, TILES_P, TILES_Q = TILES
        t, split = warp_number(), cuda.blockIdx.y
        o0, c = t % GROUPS * N, t // GROUPS % C
        p0, q0 = t // GROUPS // C % TILES_P * R, t // GROUPS // C // TILES_P * T
        adds_bias = C * TILES_P * TILES_Q == 1 or c + p0 + q0 == 0
        if q0 < TILES_Q * T:
            acc = tile(N, SUMS)
            for n in range(N):
                for k in range(SUMS):
                    acc[n, k] = splat(0.0)
            for row in range(split, B * I, len(parts)):
                b, i = row // I, row % I
                add_row(
                    x, dy, acc, b, o0, c, i, p0, q0, adds_bias, TOP, LEFT, DY_TOP, DY_LEFT, J, N, R, T, M, S, COLUMNS,
                    PADDED, PADDED_DY,
                )  # fmt: skip
            store_sums(parts, (split, t * N, 0), acc)

    return conv2d_backward_weight


@cache
def _add_parts(N, R, T, TILES):
    def grid(parts, dweight, dbias):
        return (ceil((prod(dweight.shape) + len(dbias)) / LANES),)

    @kernel(grid, ADDING_WARPS, writes=["dweight", "dbias"])
    def add_parts(parts, dweight, dbias):
        """Add up the parts of each gradient."""
        _, C, P, Q = dweight.shape
        GROUPS, C, TILES_P, TILES_Q = TILES
        O, lane, warp = len(dbias), cuda.threadIdx.x, cuda.threadIdx.y
        e = cuda.blockIdx.x * LANES + lane
        if e < O * C * P * Q:
            o, c, p, q = e // Q // P // C, e // Q // P % C, e // Q % P, e % Q
            t, k = ((q // T * TILES_P + p // R) * C + c) * GROUPS + o // N, p % R * T + q % T
        else:
            o, c, p, q = min(e - O * C * P * Q, O - 1), 0, 0, 0
            t, k = o // N, R * T
        sum_ = splat(0.0)
        for split in range(warp, len(parts), ADDING_WARPS):
            sum_ += parts[split, t * N + o % N, k]
        sums = cuda.shared.array((ADDING_WARPS, LANES), float32)
        sums[warp, lane] = sum_
        cuda.syncthreads()
        if warp == 0 and e < O * C * P * Q + O:
            for other in range(1, ADDING_WARPS):
                sum_ += sums[other, lane]
            if e < O * C * P * Q:
                dweight[o, c, p, q] = sum_
            else:
                dbias[o] = sum_

    return add_parts
