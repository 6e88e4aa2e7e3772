"""Convolution and dense layer for one image on the CPU.

The arrays have no lane axis: x (B, C, H, W), y (B, O, I, J). EPILOGUE is one of fused/epilogues.py.
"""

from numpy import float32

from fastdigits.ops.fused.epilogues import RELU_AVGPOOL, RELU_MAXPOOL, RELU_ONLY
from fastdigits.ops.lanes import (
    broadcast,
    evens,
    fma,
    load_row,
    load_span,
    maximum,
    odds,
    splat,
    store_row,
    store_scalar,
    store_span,
    sum_lanes,
    tile,
    transpose,
)


def pad_row(x, padded, top, left, b, c, h, L):
    """Copy row h of channel c into padded (C, rows, columns), which is zero and has L extra columns."""
    B, C, H, W = x.shape
    cropped, before = max(0, -left), max(0, left)
    for w in range(cropped, W, L):
        store_span(padded, (c, h + top, before + w - cropped), load_row(x, (b, c, h, w), W, L))


def row_tile(padded, weight, bias, y, b, o0, i0, j0, N, M, Q, L, EPILOGUE):
    """Fill y for output channels o0 .. o0+N, rows i0 and i0+1, and M * L columns from j0 on; the lanes are columns.

    Q is the number of columns of the kernel as a constant, so that the loop over them is unrolled.
    """
    O, C, P, _ = weight.shape
    B, O, I, J = y.shape
    acc = tile(N, 2, M)
    for n in range(N):
        v = broadcast(bias, (min(o0 + n, O - 1),))
        for r in range(2):
            for m in range(M):
                acc[n, r, m] = v
    for c in range(C):
        for p in range(P):
            for q in range(Q):
                xs = tile(2, M)
                for r in range(2):
                    for m in range(M):
                        xs[r, m] = load_span(padded, (c, i0 + p + r, j0 + q + m * L), L)
                for n in range(N):
                    v = broadcast(weight, (min(o0 + n, O - 1), c, p, q))
                    for r in range(2):
                        for m in range(M):
                            acc[n, r, m] = fma(xs[r, m], v, acc[n, r, m])
    for n in range(N):
        if o0 + n < O:
            if EPILOGUE in (RELU_ONLY, RELU_AVGPOOL):
                for r in range(2):
                    for m in range(M):
                        acc[n, r, m] = maximum(splat(0.0), acc[n, r, m])
            if EPILOGUE in (RELU_MAXPOOL, RELU_AVGPOOL):
                half = tile(M)
                for m in range(M):
                    half[m] = _pool_pair(acc[n, 0, m], acc[n, 1, m], EPILOGUE)
                left, right = evens(half[0], half[M - 1]), odds(half[0], half[M - 1])
                at, end = (b, o0 + n, i0 // 2, j0 // 2), (I - i0 // 2) * J  # later tiles overwrite what follows the row
                store_row(y, at, end, _pooled(_pool_pair(left, right, EPILOGUE), EPILOGUE))
            else:
                for r in range(2):
                    for m in range(M):
                        if i0 + r < I:
                            store_row(y, (b, o0 + n, i0 + r, j0 + m * L), J, acc[n, r, m])


def channel_tile(padded, transposed, bias, pixels, o0, i0, j0, J, kernel, STRIDE, N, M, L, EPILOGUE):
    """Fill pixels for M * L channels from o0 on, rows i0 and i0+1, and columns j0 .. j0+N; the lanes are channels.

    pixels (rows * J, channels) receives the outputs after the epilogue; transposed (C * P * Q, channels) holds the
    weights. N is even, for pooling.
    """
    C, P, Q = kernel
    (O,) = bias.shape
    acc = tile(2, N, M)
    for r in range(2):
        for n in range(N):
            for m in range(M):
                acc[r, n, m] = load_row(bias, (o0 + m * L,), O, L)
    for p in range(P):
        for q in range(Q):
            for c in range(C):  # innermost, or LLVM would keep the pixels that adjacent q share, and spill the sums
                ws = tile(M)
                for m in range(M):
                    ws[m] = load_span(transposed, ((c * P + p) * Q + q, o0 + m * L), L)
                for r in range(2):
                    for n in range(N):
                        v = broadcast(padded, (c, (i0 + r) * STRIDE + p, (j0 + n) * STRIDE + q))
                        for m in range(M):
                            acc[r, n, m] = fma(ws[m], v, acc[r, n, m])
    if EPILOGUE in (RELU_ONLY, RELU_AVGPOOL):
        for r in range(2):
            for n in range(N):
                for m in range(M):
                    acc[r, n, m] = maximum(splat(0.0), acc[r, n, m])
    for m in range(M):
        if EPILOGUE in (RELU_MAXPOOL, RELU_AVGPOOL):
            for n in range(0, N, 2):
                left, right = (
                    _pool_pair(acc[0, n, m], acc[1, n, m], EPILOGUE),
                    _pool_pair(acc[0, n + 1, m], acc[1, n + 1, m], EPILOGUE),
                )
                if (j0 + n) // 2 < J:
                    at = (i0 // 2 * J + (j0 + n) // 2, o0 + m * L)
                    store_span(pixels, at, _pooled(_pool_pair(left, right, EPILOGUE), EPILOGUE))
        else:
            for r in range(2):
                for n in range(N):
                    if j0 + n < J:
                        store_span(pixels, ((i0 + r) * J + j0 + n, o0 + m * L), acc[r, n, m])


def transpose_pixels(pixels, y, L):
    """Transpose pixels, whose rows hold all channels of a pixel, into y (channels, pixels)."""
    channels, K = y.shape
    for o0 in range(0, channels, L):
        for k0 in range(0, K, L):  # whole squares are faster, so the last two may overlap
            transpose_square(pixels, y, max(0, min(k0, K - L)), o0, L)


def transpose_square(x, y, r0, s0, L):
    """Transpose the L x L square of x from row r0 and column s0 on into y; x may end within the square."""
    R, S = x.shape
    square = tile(L)
    for l in range(L):
        square[l] = load_row(x, (min(r0 + l, R - 1), s0), S, L)
    transpose(square)
    rows, columns = y.shape
    for l in range(L):
        if s0 + l < rows:
            store_row(y, (s0 + l, r0), columns, square[l])


def dense_outputs(x, weight, bias, y, b, o0, N, M, L, RELU):
    """Fill outputs o0 .. o0+N of block b, each from M vectors of sums; apply a ReLU if RELU is 1."""
    B, K = x.shape
    O, K = weight.shape
    acc = tile(N, M)
    for n in range(N):
        for m in range(M):
            acc[n, m] = splat(0.0)
    full = K - K % (M * L)
    for k0 in range(0, full, M * L):
        for m in range(M):
            xs = load_span(x, (b, k0 + m * L), L)
            for n in range(N):
                acc[n, m] = fma(xs, load_span(weight, (min(o0 + n, O - 1), k0 + m * L), L), acc[n, m])
    for k0 in range(full, K, L):
        xs = load_row(x, (b, k0), K, L)
        for n in range(N):
            acc[n, 0] = fma(xs, load_row(weight, (min(o0 + n, O - 1), k0), K, L), acc[n, 0])
    for n in range(N):
        if o0 + n < O:
            total = acc[n, 0]
            for m in range(1, M):
                total = total + acc[n, m]
            v = sum_lanes(total) + bias[o0 + n]
            store_scalar(y, (b, o0 + n), float32(0) if RELU and v <= 0 else v)


def _pool_pair(a, b, EPILOGUE):
    return maximum(a, b) if EPILOGUE == RELU_MAXPOOL else a + b


def _pooled(v, EPILOGUE):
    """Return the epilogue of the maximum or the sum of four pixels."""
    return maximum(splat(0.0), v) if EPILOGUE == RELU_MAXPOOL else v * splat(0.25)
