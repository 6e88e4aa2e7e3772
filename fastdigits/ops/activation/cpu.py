"""Activations on the CPU: each core computes a contiguous range of vectors."""

import numpy as np
from numba import prange

from fastdigits.ops.activation import kernel
from fastdigits.ops.lanes import bind, cpu

_relu_forward = bind(kernel.relu_forward, cpu)
_relu_backward = bind(kernel.relu_backward, cpu)
_leaky_relu_forward = bind(kernel.leaky_relu_forward, cpu)
_leaky_relu_backward = bind(kernel.leaky_relu_backward, cpu)
_sigmoid_forward = bind(kernel.sigmoid_forward, cpu)
_sigmoid_backward = bind(kernel.sigmoid_backward, cpu)
_tanh_forward = bind(kernel.tanh_forward, cpu)
_tanh_backward = bind(kernel.tanh_backward, cpu)
_gelu_forward = bind(kernel.gelu_forward, cpu)
_gelu_backward = bind(kernel.gelu_backward, cpu)
_silu_forward = bind(kernel.silu_forward, cpu)
_silu_backward = bind(kernel.silu_backward, cpu)


@cpu.parallel
def relu_forward(x, y):
    """See reference.relu_forward."""
    for v in prange(len(y)):
        _relu_forward(x, y, np.int64(v))


@cpu.parallel
def relu_backward(y, dy, dx):
    """See reference.relu_backward."""
    for v in prange(len(dx)):
        _relu_backward(y, dy, dx, np.int64(v))


@cpu.parallel
def leaky_relu_forward(x, slope, y):
    """See reference.leaky_relu_forward."""
    for v in prange(len(y)):
        _leaky_relu_forward(x, slope, y, np.int64(v))


@cpu.parallel
def leaky_relu_backward(y, dy, slope, dx):
    """See reference.leaky_relu_backward."""
    for v in prange(len(dx)):
        _leaky_relu_backward(y, dy, slope, dx, np.int64(v))


@cpu.parallel
def sigmoid_forward(x, y):
    """See reference.sigmoid_forward."""
    for v in prange(len(y)):
        _sigmoid_forward(x, y, np.int64(v))


@cpu.parallel
def sigmoid_backward(y, dy, dx):
    """See reference.sigmoid_backward."""
    for v in prange(len(dx)):
        _sigmoid_backward(y, dy, dx, np.int64(v))


@cpu.parallel
def tanh_forward(x, y):
    """See reference.tanh_forward."""
    for v in prange(len(y)):
        _tanh_forward(x, y, np.int64(v))


@cpu.parallel
def tanh_backward(y, dy, dx):
    """See reference.tanh_backward."""
    for v in prange(len(dx)):
        _tanh_backward(y, dy, dx, np.int64(v))


@cpu.parallel
def gelu_forward(x, y):
    """See reference.gelu_forward."""
    for v in prange(len(y)):
        _gelu_forward(x, y, np.int64(v))


@cpu.parallel
def gelu_backward(x, dy, dx):
    """See reference.gelu_backward."""
    for v in prange(len(dx)):
        _gelu_backward(x, dy, dx, np.int64(v))


@cpu.parallel
def silu_forward(x, y):
    """See reference.silu_forward."""
    for v in prange(len(y)):
        _silu_forward(x, y, np.int64(v))


@cpu.parallel
def silu_backward(x, dy, dx):
    """See reference.silu_backward."""
    for v in prange(len(dx)):
        _silu_backward(x, dy, dx, np.int64(v))
