"""The input gradient of a convolution, one tile at a time.

A tile is N channels by M columns of one row. Its N x M sums stay in registers until they are complete. Padding is not
stored: `load_inside` returns zeros for columns in the padding, and the loops skip rows in the padding.
"""

from fastdigits.ops.fused.kernel import store_input_gradient
from fastdigits.ops.lanes import broadcast, fma, load_inside, splat, tile


def backward_input_tile(dy, weight, stride, top, left, x, dx, b, c0, h, w0, N, M, relu_input):
    """Fill dx for input channels c0 .. c0+N and M columns w0, w0+stride, .. of row h.

    Columns one stride apart use the same kernel columns and consecutive columns of dy. If relu_input is 1, x is the
    output of a ReLU and the gradient is masked; if 0, x is not read.
    """
    B, O, I, J, L = dy.shape
    B, C, H, W, L = dx.shape
    O, C, P, Q = weight.shape
    p0, q0 = (h + top) % stride, (w0 + left) % stride
    i0, j0 = (h + top - p0) // stride, (w0 + left - q0) // stride
    acc = tile(N, M)
    for n in range(N):
        for m in range(M):
            acc[n, m] = splat(0.0)
    for o in range(O):
        for k in range(max(0, i0 - I + 1), min(i0, (P - 1 - p0) // stride) + 1):
            for q in range((Q - q0 + stride - 1) // stride):
                ds = tile(M)
                for m in range(M):
                    ds[m] = load_inside(dy, (b, o, i0 - k, j0 - q + m), J)
                for n in range(N):
                    v = broadcast(weight, (o, min(c0 + n, C - 1), p0 + k * stride, q0 + q * stride))
                    for m in range(M):
                        acc[n, m] = fma(ds[m], v, acc[n, m])
    for n in range(N):
        for m in range(M):
            if c0 + n < C and w0 + m * stride < W:
                store_input_gradient(x, dx, (b, c0 + n, h, w0 + m * stride), acc[n, m], relu_input)
