"""Local response normalization on the CPU: each core computes pixels with all their channels."""

from numba import prange

from fastdigits.ops.lanes import bind, cpu
from fastdigits.ops.lrn import kernel

_forward_pixel = bind(kernel.forward_pixel, cpu)
_backward_pixel = bind(kernel.backward_pixel, cpu)


@cpu.parallel
def lrn_forward(x, size, alpha, beta, k, base, y):
    """See reference.lrn_forward. Each core computes whole pixels of an image block."""
    B, C, S, L = x.shape
    for t in prange(B * S):
        _forward_pixel(x, size, alpha, beta, k, base, y, t // S, t % S)


@cpu.parallel
def lrn_backward(x, y, dy, base, size, alpha, beta, dx):
    """See reference.lrn_backward. Each core computes whole pixels of an image block."""
    B, C, S, L = x.shape
    for t in prange(B * S):
        _backward_pixel(x, y, dy, base, size, -2 * alpha * beta, beta, dx, t // S, t % S)
