"""Convolution on the CPU, one tile of sums in registers at a time. kernel.py explains tiles and padding."""

from fastdigits.ops.fused.kernel import store_input_gradient, store_output
from fastdigits.ops.lanes import broadcast, fma, load, load_inside, splat, store_scalar, sum_lanes, tile


def forward_row(x, weight, bias, y, block, h0, w0, b, o0, i, STRIDE, N, M, Q, relu):
    """Fill row i of block b of y for output channels o0 .. o0+N, and apply a ReLU if relu is 1.

    Its first pixel begins at row h0 and column w0 of a block of x. Tiles have M columns; the last one may overlap the
    one before it. Q is the number of columns of the kernel as a constant, so that the loop over them is unrolled.
    """
    O, C, P, _ = weight.shape
    B, O, I, J, L = y.shape
    for j in range(0, J, M):
        j0 = min(j, J - M)
        acc = tile(N, M)
        for n in range(N):
            for m in range(M):
                acc[n, m] = broadcast(bias, (o0 + n,))
        for c in range(C):
            for p in range(P):
                for q in range(Q):
                    xs = tile(M)
                    for m in range(M):
                        xs[m] = load(x, (block, c, h0 + p, w0 + (j0 + m) * STRIDE + q))
                    for n in range(N):
                        v = broadcast(weight, (o0 + n, c, p, q))
                        for m in range(M):
                            acc[n, m] = fma(xs[m], v, acc[n, m])
        for n in range(N):
            for m in range(M):
                store_output(y, (b, o0 + n, i, j0 + m), acc[n, m], relu)


def backward_input_row(dy, weight, top, x, dx, b, c0, h, N, W, J, Q, LEFT, relu_input):
    """Fill dx of a convolution of stride 1 for input channels c0 .. c0+N and all W columns of row h.

    Each of the J columns of dy is added to the Q columns of dx that its kernel covers, so no padding is multiplied.
    LEFT is the number of zero columns before the first; relu_input is as in backward_input_tile.
    """
    B, O, I, _, L = dy.shape
    O, C, P, _ = weight.shape
    acc = tile(N, W)
    for n in range(N):
        for w in range(W):
            acc[n, w] = splat(0.0)
    for o in range(O):
        for p in range(max(0, h + top - I + 1), min(P, h + top + 1)):
            ws = tile(N, Q)
            for n in range(N):
                for q in range(Q):
                    ws[n, q] = broadcast(weight, (o, min(c0 + n, C - 1), p, q))
            for j in range(J):
                d = load(dy, (b, o, h + top - p, j))
                for q in range(Q):
                    if 0 <= j + q - LEFT < W:
                        for n in range(N):
                            acc[n, j + q - LEFT] = fma(d, ws[n, q], acc[n, j + q - LEFT])
    for n in range(N):
        for w in range(W):
            if c0 + n < C:
                store_input_gradient(x, dx, (b, c0 + n, h, w), acc[n, w], relu_input)


def backward_weight_tile(x, dy, stride, top, left, dweight, o0, c, p0, q0, N, R, M):
    """Fill dweight for output channels o0 .. o0+N, input channel c, kernel rows p0 .. p0+R and columns q0 .. q0+M."""
    B, C, H, W, L = x.shape
    B, O, I, J, L = dy.shape
    O, C, P, Q = dweight.shape
    acc = tile(N, R, M)
    for n in range(N):
        for r in range(R):
            for m in range(M):
                acc[n, r, m] = splat(0.0)
    for b in range(B):
        for i in range(I):
            h = i * stride + p0 - top
            rows_inside = 0 <= h <= H - R
            for j in range(J):
                w = j * stride + q0 - left
                xs, ds = tile(R, M), tile(N)
                for n in range(N):
                    ds[n] = load(dy, (b, min(o0 + n, O - 1), i, j))
                if rows_inside and 0 <= w <= W - M:
                    for r in range(R):
                        for m in range(M):
                            xs[r, m] = load(x, (b, c, h + r, w + m))
                else:
                    for r in range(R):
                        for m in range(M):
                            xs[r, m] = load_inside(x, (b, c, h + r, w + m), W if 0 <= h + r < H else 0)
                for n in range(N):
                    for r in range(R):
                        for m in range(M):
                            acc[n, r, m] = fma(xs[r, m], ds[n], acc[n, r, m])
    for n in range(N):
        for r in range(R):
            for m in range(M):
                if o0 + n < O and p0 + r < P and q0 + m < Q:
                    store_scalar(dweight, (o0 + n, c, p0 + r, q0 + m), sum_lanes(acc[n, r, m]))


def backward_bias(dy, dbias, o):
    """Fill dbias[o]."""
    B, O, I, J, L = dy.shape
    acc = tile(4)  # four independent sums, because with one each addition would wait for the previous one
    for k in range(4):
        acc[k] = splat(0.0)
    for b in range(B):
        for i in range(I):
            for j0 in range(0, J, 4):
                for k in range(4):
                    acc[k] = acc[k] + load_inside(dy, (b, o, i, j0 + k), J)
    store_scalar(dbias, (o,), sum_lanes((acc[0] + acc[1]) + (acc[2] + acc[3])))
