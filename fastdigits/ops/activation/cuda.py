"""Activations on a GPU: each warp computes one vector."""

from fastdigits.ops.activation import kernel as vectors
from fastdigits.ops.cuda.launch import bound, each_vector, kernel, warp_number

_relu_forward = bound(vectors.relu_forward)
_relu_backward = bound(vectors.relu_backward)
_leaky_relu_forward = bound(vectors.leaky_relu_forward)
_leaky_relu_backward = bound(vectors.leaky_relu_backward)
_sigmoid_forward = bound(vectors.sigmoid_forward)
_sigmoid_backward = bound(vectors.sigmoid_backward)
_tanh_forward = bound(vectors.tanh_forward)
_tanh_backward = bound(vectors.tanh_backward)
_gelu_forward = bound(vectors.gelu_forward)
_gelu_backward = bound(vectors.gelu_backward)
_silu_forward = bound(vectors.silu_forward)
_silu_backward = bound(vectors.silu_backward)


@kernel(each_vector)
def relu_forward(x, y):
    """See reference.relu_forward."""
    v = warp_number()
    if v < len(y):
        _relu_forward(x, y, v)


@kernel(each_vector, writes=["dx"])
def relu_backward(y, dy, dx):
    """See reference.relu_backward."""
    v = warp_number()
    if v < len(dx):
        _relu_backward(y, dy, dx, v)


@kernel(each_vector)
def leaky_relu_forward(x, slope, y):
    """See reference.leaky_relu_forward."""
    v = warp_number()
    if v < len(y):
        _leaky_relu_forward(x, slope, y, v)


@kernel(each_vector, writes=["dx"])
def leaky_relu_backward(y, dy, slope, dx):
    """See reference.leaky_relu_backward."""
    v = warp_number()
    if v < len(dx):
        _leaky_relu_backward(y, dy, slope, dx, v)


@kernel(each_vector)
def sigmoid_forward(x, y):
    """See reference.sigmoid_forward."""
    v = warp_number()
    if v < len(y):
        _sigmoid_forward(x, y, v)


@kernel(each_vector, writes=["dx"])
def sigmoid_backward(y, dy, dx):
    """See reference.sigmoid_backward."""
    v = warp_number()
    if v < len(dx):
        _sigmoid_backward(y, dy, dx, v)


@kernel(each_vector)
def tanh_forward(x, y):
    """See reference.tanh_forward."""
    v = warp_number()
    if v < len(y):
        _tanh_forward(x, y, v)


@kernel(each_vector, writes=["dx"])
def tanh_backward(y, dy, dx):
    """See reference.tanh_backward."""
    v = warp_number()
    if v < len(dx):
        _tanh_backward(y, dy, dx, v)


@kernel(each_vector)
def gelu_forward(x, y):
    """See reference.gelu_forward."""
    v = warp_number()
    if v < len(y):
        _gelu_forward(x, y, v)


@kernel(each_vector, writes=["dx"])
def gelu_backward(x, dy, dx):
    """See reference.gelu_backward."""
    v = warp_number()
    if v < len(dx):
        _gelu_backward(x, dy, dx, v)


@kernel(each_vector)
def silu_forward(x, y):
    """See reference.silu_forward."""
    v = warp_number()
    if v < len(y):
        _silu_forward(x, y, v)


@kernel(each_vector, writes=["dx"])
def silu_backward(x, dy, dx):
    """See reference.silu_backward."""
    v = warp_number()
    if v < len(dx):
        _silu_backward(x, dy, dx, v)
