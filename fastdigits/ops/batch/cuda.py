"""Which warp gathers which pixels."""

from numba import cuda

from fastdigits.ops.batch.kernel import gather_labels, gather_pixel
from fastdigits.ops.launch import blocks, kernel, warp_number


def _each_pixel(images, labels, order, start, count, scale, shift, x, targets):
    """The grid with a warp for each pixel of each block of images."""
    B, K, L = x.shape
    return blocks(K), B


@kernel(_each_pixel)
def gather_batch(images, labels, order, start, count, scale, shift, x, targets):
    """See reference.gather_batch. A warp owns a pixel of an image block."""
    k, b = warp_number(), cuda.blockIdx.y
    if k < x.shape[1]:
        gather_pixel(images, order, start[0], count, scale, shift, x, b, k)
    if k == 0:
        gather_labels(labels, order, start[0], count, targets, b)
