"""Local response normalization on a GPU: each warp computes a pixel with all its channels."""

from numba import cuda

from fastdigits.ops.cuda.launch import blocks, kernel, warp_number
from fastdigits.ops.lrn.kernel import backward_pixel, forward_pixel


def _pixels(x, *others):
    """Return the grid with a warp for each pixel of each block of images."""
    B, C, S, L = x.shape
    return blocks(S), B


@kernel(_pixels)
def lrn_forward(x, size, alpha, beta, k, base, y):
    """See reference.lrn_forward. Each warp computes a pixel of an image block, with all its channels."""
    s, b = warp_number(), cuda.blockIdx.y
    if s < x.shape[2]:
        forward_pixel(x, size, alpha, beta, k, base, y, b, s)


def lrn_backward(x, y, dy, base, size, alpha, beta, dx):
    """See reference.lrn_backward. Each warp computes a pixel of an image block, with all its channels."""
    _lrn_backward(x, y, dy, base, size, -2 * alpha * beta, beta, dx)


@kernel(_pixels, writes=["dx"])
def _lrn_backward(x, y, dy, base, size, slope, beta, dx):
    s, b = warp_number(), cuda.blockIdx.y
    if s < x.shape[2]:
        backward_pixel(x, y, dy, base, size, slope, beta, dx, b, s)
