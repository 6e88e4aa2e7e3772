"""Fused operations on a GPU: the kernels of the plain operations, compiled with other epilogues."""

from fastdigits.ops.batchnorm import cuda as batchnorm
from fastdigits.ops.conv2d import cuda as conv2d
from fastdigits.ops.cuda.device import concurrently
from fastdigits.ops.cuda.launch import bound, each_vector, kernel, warp_number
from fastdigits.ops.dense import cuda as dense
from fastdigits.ops.fused import kernel as vectors
from fastdigits.ops.fused.epilogues import RELU_AVGPOOL, RELU_MAXPOOL, RELU_ONLY

_add_relu = bound(vectors.add_relu)


@kernel(each_vector)
def add_relu(a, b, y):
    """See reference.add_relu."""
    v = warp_number()
    if v < len(y):
        _add_relu(a, b, y, v)


def batchnorm_relu_forward(x, gamma, beta, count, epsilon, momentum, running_mean, running_var, mean, var, y):
    """See reference.batchnorm_relu_forward. Each block of warps computes a channel of all images."""
    batchnorm.forward(x, gamma, beta, count, epsilon, momentum, running_mean, running_var, mean, var, y, 1)


def batchnorm_relu_inference(x, gamma, beta, mean, var, epsilon, y):
    """See reference.batchnorm_relu_inference. Each warp computes a pixel of a channel of an image block."""
    batchnorm.inference(x, gamma, beta, mean, var, epsilon, y, 1)


def batchnorm_relu_backward(x, y, dy, gamma, mean, var, count, epsilon, dgamma, dbeta, dx):
    """See reference.batchnorm_relu_backward. Each block of warps computes a channel of all images."""
    batchnorm.backward(x, y, dy, gamma, mean, var, count, epsilon, dgamma, dbeta, dx, 1)


def dense_relu_forward(x, weight, bias, y):
    """See reference.dense_relu_forward. Each block of warps computes a tile of N outputs and M blocks of images."""
    dense.forward(x, weight, bias, y, 1)


def dense_backward(x, dy, weight, relu_input, dx, dweight, dbias):
    """See reference.dense_backward. Warps compute tiles of dweight, concurrently with blocks of warps for dx."""
    with concurrently():
        dense.dense_backward_weight(x, dy, dweight, dbias)
    dense.backward_input(dy, weight, x, dx, int(relu_input))


def conv2d_relu_forward(x, weight, bias, stride, top, left, y):
    """See reference.conv2d_relu_forward. Each block of warps computes a tile of y."""
    conv2d.forward(x, weight, bias, stride, top, left, y, y, RELU_ONLY)


def conv2d_backward(x, dy, weight, stride, top, left, relu_input, dx, dweight, dbias):
    """See reference.conv2d_backward. Warps compute tiles of dweight, concurrently with blocks of warps for dx."""
    backward(x, dy, weight, stride, top, left, relu_input, dx, dweight, dbias, conv2d.backward_input)


def conv2d_relu_maxpool_forward(x, weight, bias, top, left, y, pool_mask):
    """See reference.conv2d_relu_maxpool_forward. Each block of warps computes a tile of y."""
    conv2d.forward(x, weight, bias, 1, top, left, y, pool_mask, RELU_MAXPOOL)


def conv2d_relu_avgpool_forward(x, weight, bias, top, left, y, pool_mask):
    """See reference.conv2d_relu_avgpool_forward. Each block of warps computes a tile of y."""
    conv2d.forward(x, weight, bias, 1, top, left, y, pool_mask, RELU_AVGPOOL)


def conv2d_relu_maxpool_backward(x, dy, pool_mask, weight, top, left, relu_input, dx, dweight, dbias):
    """See reference.conv2d_relu_maxpool_backward. Warps unpool dy, then dweight and, concurrently, dx."""
    pooled_backward(
        x, dy, pool_mask, weight, top, left, relu_input, dx, dweight, dbias, RELU_MAXPOOL, conv2d.backward_input
    )


def conv2d_relu_avgpool_backward(x, dy, pool_mask, weight, top, left, relu_input, dx, dweight, dbias):
    """See reference.conv2d_relu_avgpool_backward. Warps unpool dy, then dweight and, concurrently, dx."""
    pooled_backward(
        x, dy, pool_mask, weight, top, left, relu_input, dx, dweight, dbias, RELU_AVGPOOL, conv2d.backward_input
    )


def conv2d_relu_maxpool_backward_weight(x, dy, pool_mask, top, left, dweight, dbias):
    """See reference.conv2d_relu_maxpool_backward_weight. Warps unpool dy, then compute tiles of dweight."""
    _pooled_backward_weight(x, dy, pool_mask, top, left, dweight, dbias, RELU_MAXPOOL)


def conv2d_relu_avgpool_backward_weight(x, dy, pool_mask, top, left, dweight, dbias):
    """See reference.conv2d_relu_avgpool_backward_weight. Warps unpool dy, then compute tiles of dweight."""
    _pooled_backward_weight(x, dy, pool_mask, top, left, dweight, dbias, RELU_AVGPOOL)


def backward(x, dy, weight, stride, top, left, relu_input, dx, dweight, dbias, backward_input):
    """Run conv2d_backward with a function that computes dx, such as conv2d.backward_input."""
    gradient = conv2d.without_border(dy)
    with concurrently():
        conv2d.backward_weight(x, gradient, stride, top, left, dweight, dbias)
    backward_input(gradient, weight, stride, top, left, x, dx, int(relu_input))


def pooled_backward(x, dy, pool_mask, weight, top, left, relu_input, dx, dweight, dbias, EPILOGUE, backward_input):
    """Run the backward pass of a convolution whose epilogue pools, with a function that computes dx."""
    gradient = conv2d.unpool(dy, pool_mask, weight.shape[2:], top, left, dx.shape[2:4], EPILOGUE)
    with concurrently():
        conv2d.backward_weight(x, gradient, 1, top, left, dweight, dbias)
    backward_input(gradient, weight, 1, top, left, x, dx, int(relu_input))


def _pooled_backward_weight(x, dy, pool_mask, top, left, dweight, dbias, EPILOGUE):
    gradient = conv2d.unpool(dy, pool_mask, dweight.shape[2:], top, left, (0, 0), EPILOGUE)
    conv2d.backward_weight(x, gradient, 1, top, left, dweight, dbias)
