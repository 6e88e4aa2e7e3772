"""Pooling on the CPU. In the backward pass each core computes whole channels, because windows may overlap."""

from functools import cache

from numba import prange

from fastdigits.ops.lanes import bind, cpu
from fastdigits.ops.pool2d import cpu_kernel, kernel

_max_forward_row = bind(kernel.max_forward_row, cpu)
_max_backward_plane = bind(cpu_kernel.max_backward_plane, cpu)
_avg_forward_row = bind(kernel.avg_forward_row, cpu)
_avg_backward_plane = bind(cpu_kernel.avg_backward_plane, cpu)


def maxpool2d_forward(x, window, stride, y):
    """See reference.maxpool2d_forward. Each core computes whole rows of y."""
    _max_forward(*window, stride)(x, y)


@cpu.parallel
def maxpool2d_backward(x, dy, window, stride, dx):
    """See reference.maxpool2d_backward. Each core computes whole channels of an image block."""
    B, C, H, W, L = dx.shape
    for t in prange(B * C):
        _max_backward_plane(x, dy, window, stride, dx, t // C, t % C)


@cpu.parallel
def avgpool2d_forward(x, window, stride, y):
    """See reference.avgpool2d_forward. Each core computes whole rows of y."""
    B, C, I, J, L = y.shape
    for t in prange(B * C * I):
        _avg_forward_row(x, window, stride, y, t // I // C, t // I % C, t % I)


@cpu.parallel
def avgpool2d_backward(dy, window, stride, dx):
    """See reference.avgpool2d_backward. Each core computes whole channels of an image block."""
    B, C, H, W, L = dx.shape
    for t in prange(B * C):
        _avg_backward_plane(dy, window, stride, dx, t // C, t % C)


@cache
def _max_forward(P, Q, STRIDE):
    """Return the pooling for a window and stride; as constants they save a third of the time (Zen 3, November 2026)."""

    @cpu.parallel
    def maxpool2d_forward(x, y):
        B, C, I, J, L = y.shape
        for t in prange(B * C * I):
            _max_forward_row(x, (P, Q), STRIDE, y, t // I // C, t // I % C, t % I)

    return maxpool2d_forward
