"""The dense layer on the CPU, one tile at a time: N rows by M columns of sums that stay in registers.

In the forward pass and the input gradient, the columns are blocks of images. For the weight gradient, the inputs are
transposed, a slab of images at a time: from one feature of L images to L features of one image. Each sum then stays in
its own lane, and nothing is added across lanes.
"""

import numpy as np

from fastdigits.ops.dense.kernel import add_input, add_output, backward_bias
from fastdigits.ops.fused.kernel import store_input_gradient, store_output
from fastdigits.ops.lanes import broadcast, fma, load, load_row, splat, store_row, store_span, tile, transpose


def forward_rows(x, weight, bias, y, o0, N, M, relu):
    """Fill y for outputs o0 .. o0+N, and apply a ReLU if relu is 1."""
    B, K, L = x.shape
    O, K = weight.shape
    for b0 in range(0, B, M):
        acc = tile(N, M)
        for n in range(N):
            for m in range(M):
                acc[n, m] = broadcast(bias, (min(o0 + n, O - 1),))
        for k in range(K):
            add_input(x, weight, acc, o0, b0, k, N, M)
        for n in range(N):
            for m in range(M):
                if o0 + n < O and b0 + m < B:
                    store_output(y, (b0 + m, o0 + n), acc[n, m], relu)


def backward_strip(x, dy, weight, dx, dweight, dbias, t, T, fills_dx, relu_input, W, N, M, NW, MW, S, L):
    """Fill columns t*W .. t*W+W of dweight and, if fills_dx is 1, of dx, and part t of T of dbias."""
    O, K = dweight.shape
    backward_weight_strip(x, dy, dweight, t * W, NW, MW, S, L)
    if fills_dx:
        backward_input_strip(dy, weight, x, dx, t * W, W, N, M, relu_input)
    for o in range(t * O // T, (t + 1) * O // T):
        backward_bias(dy, dbias, o)


def backward_input_strip(dy, weight, x, dx, k0, W, N, M, relu_input):
    """Fill dx for inputs k0 .. k0+W, a multiple of N and L.

    If relu_input is 1, x is the output of a ReLU and the gradient is masked; if 0, x is not read.
    """
    B, O, L = dy.shape
    O, K = weight.shape
    panel = np.empty((O, W), np.float32)  # these columns of weight, which lie far apart
    for o in range(O):
        for w in range(0, W, L):
            store_span(panel, (o, w), load_row(weight, (o, k0 + w), K, L))
    for b0 in range(0, B, M):
        for w0 in range(0, W, N):
            acc = tile(N, M)
            for n in range(N):
                for m in range(M):
                    acc[n, m] = splat(0.0)
            for o in range(O):
                add_output(dy, panel, acc, w0, b0, o, N, M)
            for n in range(N):
                for m in range(M):
                    if k0 + w0 + n < K and b0 + m < B:
                        store_input_gradient(x, dx, (b0 + m, k0 + w0 + n), acc[n, m], relu_input)


def backward_weight_strip(x, dy, dweight, k0, N, M, S, L):
    """Fill columns k0 .. k0+M*L of dweight, in slabs of S blocks."""
    B, K, _ = x.shape
    O, K = dweight.shape
    square, rows = tile(L), tile(S, L, M)
    for b0 in range(0, B, S):
        slab = min(S, B - b0)
        for s in range(slab):
            for m in range(M):
                for k in range(L):
                    square[k] = load(x, (b0 + s, min(k0 + m * L + k, K - 1)))
                transpose(square)
                for l in range(L):
                    rows[s, l, m] = square[l]
        for o0 in range(0, O, N):
            acc = tile(N, M)
            for n in range(N):
                for m in range(M):
                    at = (min(o0 + n, O - 1), k0 + m * L)
                    acc[n, m] = load_row(dweight, at, K if b0 > 0 else 0, L)
            for s in range(slab):
                for l in range(L):
                    for n in range(N):
                        d = broadcast(dy, (b0 + s, min(o0 + n, O - 1), l))
                        for m in range(M):
                            acc[n, m] = fma(rows[s, l, m], d, acc[n, m])
            for n in range(N):
                for m in range(M):
                    if o0 + n < O:
                        store_row(dweight, (o0 + n, k0 + m * L), K, acc[n, m])
