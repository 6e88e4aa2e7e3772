"""Which warps compute which tile. Its shape and all that is around it is compiled in.

The sum over the channels of an output is shared out among up to four warps, that over the images and pixels of a
weight's gradient among many more: else a small network's few tiles would leave most of a GPU idle.
"""

from functools import cache
from math import ceil, prod

from numba import cuda, float32

from fastdigits.ops.conv2d.cuda_kernel import add_channel, add_row, clear, share, total
from fastdigits.ops.conv2d.kernel import backward_input_tile
from fastdigits.ops.cuda.device import scratch
from fastdigits.ops.cuda.launch import LANES, blocks, kernel, warp_number
from fastdigits.ops.fused.epilogues import MAXPOOLED, RECTIFIED, WHOLE, pooled
from fastdigits.ops.fused.kernel import store_input_gradient, store_output, store_pooled
from fastdigits.ops.lanes import broadcast, put_sums, splat, tile

MAX_PARTS = 4  # warps that share out the channels of an output
WEIGHT_WARPS = 2048  # that a weight gradient is shared out among: four for each scheduler of a large GPU
ADDING_WARPS = 8  # that add up the parts of 32 gradients
MAX_SUMS = 50  # of a weight gradient's tile, in registers


def conv2d_forward(x, weight, bias, stride, top, left, y):
    """See reference.conv2d_forward. A block of warps owns a tile of y."""
    forward(x, weight, bias, stride, top, left, y, y, WHOLE)


def conv2d_backward_input(dy, weight, stride, top, left, dx):
    """See reference.conv2d_backward_input. A block of warps owns a tile of dx."""
    backward_input(dy, dy, weight, stride, top, left, dx, dx, 0, WHOLE)


def conv2d_backward_weight(x, dy, stride, top, left, dweight, dbias):
    """See reference.conv2d_backward_weight. A warp owns a tile of dweight for some rows of pixels."""
    backward_weight(x, dy, dy, stride, top, left, dweight, dbias, WHOLE)


def forward(x, weight, bias, stride, top, left, y, pool_mask, ENDING):
    """conv2d_forward with an ending; only the pooled ones fill the pool_mask."""
    B, C, H, W, L = x.shape
    O, C, P, Q = weight.shape
    I, J = (size * pooled(ENDING) for size in y.shape[2:4])
    N, M, T = even(O, 4), _columns(J, stride), even(Q, 7)
    padded = _reaches_out(H, P, I, 2, stride, top) or _reaches_out(W, ceil(Q / T) * T, J, M, stride, left)
    _forward(N, M, T, stride, top, left, int(padded), min(C, MAX_PARTS), ENDING)(x, weight, bias, y, pool_mask)


def backward_input(dy, pool_mask, weight, stride, top, left, x, dx, RELU, SOURCE):
    """conv2d_backward_input; where RELU is 1, x is the output of a ReLU and dx the gradient by its input."""
    O, C, P, Q = weight.shape
    I, J = (size * pooled(SOURCE) for size in dy.shape[2:4])
    H, W = dx.shape[2:4]
    if stride > 1:
        _backward_input_strided(even(C, 4), 4, stride, top, left, RELU)(dy, weight, x, dx)
        return
    top, left = P - 1 - top, Q - 1 - left
    N, M, T = even(C, 4), _columns(W, 1), even(Q, 7)
    padded = _reaches_out(I, P, H, 2, 1, top) or _reaches_out(J, ceil(Q / T) * T, W, M, 1, left)
    _backward_input(N, M, T, top, left, int(padded), min(O, MAX_PARTS), RELU, SOURCE)(dy, pool_mask, weight, x, dx)


def backward_weight(x, dy, pool_mask, stride, top, left, dweight, dbias, SOURCE):
    """conv2d_backward_weight, from the gradient by the convolution's output or by the pooled one."""
    B, C, H, W, L = x.shape
    O, C, P, Q = dweight.shape
    I, J = (size * pooled(SOURCE) for size in dy.shape[2:4])
    R, T, M = even(P, 5), even(Q, 5), _columns(J, stride)
    N = even(O, max(1, min(4, MAX_SUMS // (R * T))))
    padded = _reaches_out(H, ceil(P / R) * R, I, 1, stride, top) or _reaches_out(W, ceil(Q / T) * T, J, M, stride, left)
    tiles = ceil(O / N), C, ceil(P / R), ceil(Q / T)
    splits = min(B * I, ceil(WEIGHT_WARPS / prod(tiles)))
    parts = scratch(splits * prod(tiles) * N * (R * T + 1)).reshape(splits, -1, R * T + 1)
    _backward_weight(N, R, T, M, stride, top, left, int(padded or J % M > 0), tiles, SOURCE)(x, dy, pool_mask, parts)
    _add_parts(N, R, T, tiles)(parts, dweight, dbias)


def even(size, most):
    """The largest part of a size that is cut into as few parts as can be, of at most `most`, and these evenly."""
    return ceil(size / ceil(size / most))


def _columns(size, stride):
    """The columns of a tile, an even number for pooling; few where each meets others of x."""
    return 2 * even(ceil(size / 2), 2 if stride <= 4 else 1)


def _reaches_out(size, kernel, outputs, step, stride, before):
    """Whether tiles of `step` outputs read anything before or after the `size` rows or columns of x."""
    last = (ceil(outputs / step) * step - 1) * stride + kernel - 1 - before
    return before > 0 or last >= size


def _tiles(y, N, rows, columns):
    """The grid with a block of warps for each tile of N channels; tiles beside each other read the same pixels."""
    B, C, I, J, L = y.shape
    return ceil(C / N) * ceil(J / columns), ceil(I / rows), B


@cache
def _forward(N, M, T, S, TOP, LEFT, PADDED, PARTS, ENDING):
    COLUMNS, POOLED = (M - 1) * S + T, pooled(ENDING)

    @kernel(lambda x, weight, bias, y, pool_mask: _tiles(y, N, 2 // POOLED, M // POOLED), PARTS)
    def conv2d_forward(x, weight, bias, y, pool_mask):
        B, C, H, W, L = x.shape
        B, O, I, J, L = y.shape
        lane, part, b = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.z
        groups = (O + N - 1) // N
        o0, i0, j0 = cuda.blockIdx.x % groups * N, cuda.blockIdx.y * 2, cuda.blockIdx.x // groups * M
        acc = tile(N, 2, M)
        clear(acc, N, M)
        for c in range(part, C, PARTS):
            add_channel(x, x, weight, acc, b, c, o0, i0 * S - TOP, j0 * S - LEFT, N, M, S, T, COLUMNS, PADDED, 0, WHOLE)
        sums = cuda.shared.array((PARTS, N, 2, M, LANES), float32)
        share(acc, sums, part, lane, N, M)
        cuda.syncthreads()
        for n in range(part, min(N, O - o0), PARTS):
            v = broadcast(bias, (o0 + n,))
            if POOLED == 2:
                for j in range(j0 // 2, min(j0 // 2 + M // 2, J)):
                    window = tile(4)
                    for k in range(4):
                        window[k] = v + total(sums, n, k // 2, 2 * j - j0 + k % 2, lane, PARTS)
                    store_pooled(window, y, pool_mask, (b, o0 + n, i0 // 2, j), ENDING == MAXPOOLED)
            else:
                for i in range(i0, min(i0 + 2, I)):
                    for j in range(j0, min(j0 + M, J)):
                        sum_ = v + total(sums, n, i - i0, j - j0, lane, PARTS)
                        store_output(y, (b, o0 + n, i, j), sum_, ENDING == RECTIFIED)

    return conv2d_forward


@cache
def _backward_input(N, M, T, TOP, LEFT, PADDED, PARTS, RELU, SOURCE):
    COLUMNS = M - 1 + T

    @kernel(lambda dy, pool_mask, weight, x, dx: _tiles(dx, N, 2, M), PARTS)
    def conv2d_backward_input(dy, pool_mask, weight, x, dx):
        B, O, I, J, L = dy.shape
        B, C, H, W, L = dx.shape
        lane, part, b = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.z
        groups = (C + N - 1) // N
        c0, h0, w0 = cuda.blockIdx.x % groups * N, cuda.blockIdx.y * 2, cuda.blockIdx.x // groups * M
        acc = tile(N, 2, M)
        clear(acc, N, M)
        for o in range(part, O, PARTS):
            add_channel(
                dy, pool_mask, weight, acc, b, o, c0, h0 - TOP, w0 - LEFT, N, M, 1, T, COLUMNS, PADDED, 1, SOURCE
            )
        sums = cuda.shared.array((PARTS, N, 2, M, LANES), float32)
        share(acc, sums, part, lane, N, M)
        cuda.syncthreads()
        for n in range(part, min(N, C - c0), PARTS):
            for h in range(h0, min(h0 + 2, H)):
                for w in range(w0, min(w0 + M, W)):
                    d = total(sums, n, h - h0, w - w0, lane, PARTS)
                    store_input_gradient(x, dx, (b, c0 + n, h, w), d, RELU)

    return conv2d_backward_input


@cache
def _backward_input_strided(N, M, S, TOP, LEFT, RELU):
    def grid(dy, weight, x, dx):
        B, C, H, W, L = dx.shape
        return blocks(S * ceil(W / (M * S))), H, B * ceil(C / N)

    @kernel(grid)
    def conv2d_backward_input(dy, weight, x, dx):
        B, C, H, W, L = dx.shape
        groups = (C + N - 1) // N
        t, h, z = warp_number(), cuda.blockIdx.y, cuda.blockIdx.z
        w0 = t % S + t // S * M * S
        if w0 < W:
            backward_input_tile(dy, weight, S, TOP, LEFT, x, dx, z // groups, z % groups * N, h, w0, N, M, RELU)

    return conv2d_backward_input


@cache
def _backward_weight(N, R, T, M, S, TOP, LEFT, PADDED, TILES, SOURCE):
    COLUMNS, POOLED, SUMS = (M - 1) * S + T, pooled(SOURCE), R * T + 1

    @kernel(lambda x, dy, pool_mask, parts: (blocks(prod(TILES)), len(parts)))
    def conv2d_backward_weight(x, dy, pool_mask, parts):
        B, O, I, J, L = dy.shape
        GROUPS, C, TILES_P, TILES_Q = TILES
        t, split = warp_number(), cuda.blockIdx.y
        o0, c = t % GROUPS * N, t // GROUPS % C
        p0, q0 = t // GROUPS // C % TILES_P * R, t // GROUPS // C // TILES_P * T
        if q0 < TILES_Q * T:
            acc = tile(N, SUMS)
            for n in range(N):
                for k in range(SUMS):
                    acc[n, k] = splat(0.0)
            for row in range(split, B * I * POOLED, len(parts)):
                b, i = row // (I * POOLED), row % (I * POOLED)
                add_row(x, dy, pool_mask, acc, b, o0, c, i, p0, q0, TOP, LEFT, N, R, T, M, S, COLUMNS, PADDED, SOURCE)
            put_sums(parts, (split, t * N, 0), acc)

    return conv2d_backward_weight


@cache
def _add_parts(N, R, T, TILES):
    @kernel(lambda parts, dweight, dbias: (ceil((prod(dweight.shape) + len(dbias)) / LANES),), ADDING_WARPS)
    def add_parts(parts, dweight, dbias):
        """The gradients as the sums of their parts."""
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
