"""Which warp pools which row or plane. Windows are compiled in."""

from functools import cache

from numba import cuda

from fastdigits.ops.launch import blocks, kernel, warp_number
from fastdigits.ops.pool2d.kernel import avg_backward_plane, avg_forward_row, max_backward_plane, max_forward_row


def maxpool2d_forward(x, window, stride, y):
    """See reference.maxpool2d_forward. A warp owns a row of y."""
    _max_forward(window, stride)(x, y)


def maxpool2d_backward(x, dy, window, stride, dx):
    """See reference.maxpool2d_backward. A warp owns a channel of an image block, for windows may overlap."""
    _max_backward(window, stride)(x, dy, dx)


def avgpool2d_forward(x, window, stride, y):
    """See reference.avgpool2d_forward. A warp owns a row of y."""
    _avg_forward(window, stride)(x, y)


def avgpool2d_backward(dy, window, stride, dx):
    """See reference.avgpool2d_backward. A warp owns a channel of an image block, for windows may overlap."""
    _avg_backward(window, stride)(dy, dx)


def _rows(*arguments):
    """The grid with a warp for each row of the last argument."""
    B, C, I, J, L = arguments[-1].shape
    return blocks(I), C, B


def _planes(*arguments):
    """The grid with a warp for each channel of each block of images."""
    B, C, H, W, L = arguments[-1].shape
    return blocks(C), B


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
    @kernel(_planes)
    def maxpool2d_backward(x, dy, dx):
        c, b = warp_number(), cuda.blockIdx.y
        if c < dx.shape[1]:
            max_backward_plane(x, dy, window, stride, dx, b, c)

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
    @kernel(_planes)
    def avgpool2d_backward(dy, dx):
        c, b = warp_number(), cuda.blockIdx.y
        if c < dx.shape[1]:
            avg_backward_plane(dy, window, stride, dx, b, c)

    return avgpool2d_backward
