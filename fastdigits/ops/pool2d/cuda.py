"""Pooling on a GPU. Window and stride are compiled in.

In the backward pass, each warp computes a pixel and visits all windows that contain it. So nothing is accumulated in
memory, and there is work for one warp per pixel, not only for one per channel.
"""

from functools import cache

from numba import cuda

from fastdigits.ops.cuda.launch import blocks, kernel, warp_number
from fastdigits.ops.lanes import load, select, splat, store
from fastdigits.ops.pool2d.kernel import avg_forward_row, first_maximum, max_forward_row


def maxpool2d_forward(x, window, stride, y):
    """See reference.maxpool2d_forward. Each warp computes a row of y."""
    _max_forward(window, stride)(x, y)


def maxpool2d_backward(x, dy, window, stride, dx):
    """See reference.maxpool2d_backward. Each warp computes a pixel of dx."""
    _max_backward(window, stride)(x, dy, dx)


def avgpool2d_forward(x, window, stride, y):
    """See reference.avgpool2d_forward. Each warp computes a row of y."""
    _avg_forward(window, stride)(x, y)


def avgpool2d_backward(dy, window, stride, dx):
    """See reference.avgpool2d_backward. Each warp computes a pixel of dx."""
    _avg_backward(window, stride)(dy, dx)


def _rows(*arguments):
    """Return the grid with a warp for each row of the last argument."""
    B, C, I, J, L = arguments[-1].shape
    return blocks(I), C, B


def _pixels(*arguments):
    """Return the grid with a warp for each pixel of the last argument."""
    B, C, H, W, L = arguments[-1].shape
    return blocks(H * W), C, B


@cache
def _max_forward(window, stride):
    @kernel(_rows)
    def maxpool2d_forward(x, y):
        i, c, b = warp_number(), cuda.blockIdx.y, cuda.blockIdx.z
        if i < y.shape[2]:
            max_forward_row(x, window, stride, y, b, c, i)

    return maxpool2d_forward


@cache
def _max_backward(window, stride):
    P, Q = window

    @kernel(_pixels, writes=["dx"])
    def maxpool2d_backward(x, dy, dx):
        B, C, H, W, L = dx.shape
        B, C, I, J, L = dy.shape
        h, w, c, b = warp_number() // W, warp_number() % W, cuda.blockIdx.y, cuda.blockIdx.z
        if h < H:
            total = splat(0.0)
            for i in range(max(0, (h - P) // stride + 1), min(I, h // stride + 1)):
                for j in range(max(0, (w - Q) // stride + 1), min(J, w // stride + 1)):
                    own = first_maximum(x, window, stride, b, c, i, j) == splat((h - i * stride) * Q + w - j * stride)
                    total += select(own, load(dy, (b, c, i, j)), splat(0.0))
            store(dx, (b, c, h, w), total)

    return maxpool2d_backward


@cache
def _avg_forward(window, stride):
    @kernel(_rows)
    def avgpool2d_forward(x, y):
        i, c, b = warp_number(), cuda.blockIdx.y, cuda.blockIdx.z
        if i < y.shape[2]:
            avg_forward_row(x, window, stride, y, b, c, i)

    return avgpool2d_forward


@cache
def _avg_backward(window, stride):
    P, Q = window

    @kernel(_pixels, writes=["dx"])
    def avgpool2d_backward(dy, dx):
        B, C, H, W, L = dx.shape
        B, C, I, J, L = dy.shape
        h, w, c, b = warp_number() // W, warp_number() % W, cuda.blockIdx.y, cuda.blockIdx.z
        if h < H:
            total = splat(0.0)
            for i in range(max(0, (h - P) // stride + 1), min(I, h // stride + 1)):
                for j in range(max(0, (w - Q) // stride + 1), min(J, w // stride + 1)):
                    total += load(dy, (b, c, i, j))
            store(dx, (b, c, h, w), total * splat(1 / (P * Q)))

    return avgpool2d_backward
