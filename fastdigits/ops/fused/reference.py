"""Definitions of the fused operations, by the plain operations that they replace."""

import numpy as np

from fastdigits.ops.activation.reference import relu_forward
from fastdigits.ops.batchnorm.reference import batchnorm_backward, batchnorm_forward, batchnorm_inference
from fastdigits.ops.conv2d.reference import conv2d_backward_input, conv2d_backward_weight, conv2d_forward
from fastdigits.ops.dense.reference import dense_backward_input, dense_backward_weight, dense_forward
from fastdigits.ops.elementwise.reference import add
from fastdigits.ops.pool2d.reference import first_maximum


def add_relu(a, b, y):
    """Fill y = relu(a + b).

    Parameters
    ----------
    a, b, y
        As in add.
    """
    add(a, b, y)
    relu_forward(y, y)


def batchnorm_relu_forward(x, gamma, beta, count, epsilon, momentum, running_mean, running_var, mean, var, y):
    """Fill y = relu(batchnorm(x)).

    Parameters
    ----------
    x, gamma, beta, count, epsilon, momentum, running_mean, running_var, mean, var, y
        As in batchnorm_forward.
    """
    batchnorm_forward(x, gamma, beta, count, epsilon, momentum, running_mean, running_var, mean, var, y)
    relu_forward(y, y)


def batchnorm_relu_inference(x, gamma, beta, mean, var, epsilon, y):
    """Fill y = relu(batchnorm(x)) for a given mean and variance.

    Parameters
    ----------
    x, gamma, beta, mean, var, epsilon, y
        As in batchnorm_inference.
    """
    batchnorm_inference(x, gamma, beta, mean, var, epsilon, y)
    relu_forward(y, y)


def batchnorm_relu_backward(x, y, dy, gamma, mean, var, count, epsilon, dgamma, dbeta, dx):
    """Fill the gradients of the loss with respect to the input and parameters of batchnorm_relu_forward.

    Parameters
    ----------
    x, gamma, mean, var, count, epsilon, dgamma, dbeta, dx
        As in batchnorm_backward.
    y, dy : float32 (B, C, S, L)
        The output of the ReLU and its gradient, which passes the ReLU except where y is 0.
    """
    batchnorm_backward(x, np.where(y <= 0, 0, dy), gamma, mean, var, count, epsilon, dgamma, dbeta, dx)


def dense_relu_forward(x, weight, bias, y):
    """Fill y = relu(dense(x)).

    Parameters
    ----------
    x, weight, bias, y
        As in dense_forward.
    """
    dense_forward(x, weight, bias, y)
    relu_forward(y, y)


def dense_backward(x, dy, weight, relu_input, dx, dweight, dbias):
    """Fill dx, dweight and dbias of a dense layer.

    Parameters
    ----------
    x, dy, weight, dx, dweight, dbias
        As in dense_backward_input and dense_backward_weight.
    relu_input : bool
        Whether x is the output of a ReLU and dx the gradient of its input, which is 0 where x is 0.
    """
    dense_backward_weight(x, dy, dweight, dbias)
    dense_backward_input(dy, weight, dx)
    if relu_input:
        dx[x <= 0] = 0


def conv2d_relu_forward(x, weight, bias, stride, top, left, y):
    """Fill y = relu(conv2d(x)).

    Parameters
    ----------
    x, weight, bias, stride, top, left, y
        As in conv2d_forward.
    """
    conv2d_forward(x, weight, bias, stride, top, left, y)
    relu_forward(y, y)


def conv2d_backward(x, dy, weight, stride, top, left, relu_input, dx, dweight, dbias):
    """Fill dx, dweight and dbias of a convolution.

    Parameters
    ----------
    x, dy, weight, stride, top, left, dx, dweight, dbias
        As in conv2d_backward_input and conv2d_backward_weight.
    relu_input : bool
        Whether x is the output of a ReLU and dx the gradient of its input, which is 0 where x is 0.
    """
    conv2d_backward_weight(x, dy, stride, top, left, dweight, dbias)
    conv2d_backward_input(dy, weight, stride, top, left, dx)
    if relu_input:
        dx[x <= 0] = 0


def conv2d_relu_maxpool_forward(x, weight, bias, top, left, y, pool_mask):
    """Fill y = maxpool(relu(conv2d(x))) over 2 x 2 windows, 2 apart; the convolution has stride 1.

    pool_mask is the bit of the first maximum of the window (or of its last NaN), or 0 if the maximum is at most 0.

    Parameters
    ----------
    x, weight, bias, top, left
        As in conv2d_forward.
    y : float32 (B, O, I, J, L), filled
        I and J are half the rows and columns of the convolution, rounded down.
    pool_mask : uint8 (B, O, I, J, L), filled
        Or an empty array (0, O, I, J, L), if no gradient will be computed.
    """
    pixels = _convolved_windows(x, weight, bias, top, left, y)
    y[...] = np.maximum(pixels.max(0), 0)
    if len(pool_mask):
        pool_mask[...] = np.where(y <= 0, 0, 1 << first_maximum(pixels))


def conv2d_relu_avgpool_forward(x, weight, bias, top, left, y, pool_mask):
    """Fill y = avgpool(relu(conv2d(x))) over 2 x 2 windows, 2 apart; the convolution has stride 1.

    pool_mask is the sum of the bits of the pixels of the window that are positive or NaN.

    Parameters
    ----------
    x, weight, bias, top, left, y, pool_mask
        As in conv2d_relu_maxpool_forward.
    """
    pixels = _convolved_windows(x, weight, bias, top, left, y)
    y[...] = np.maximum(pixels, 0).sum(0) / 4
    if len(pool_mask):
        pool_mask[...] = sum(np.where(pixels[k] <= 0, 0, 1 << k) for k in range(4))


def conv2d_relu_maxpool_backward(x, dy, pool_mask, weight, top, left, relu_input, dx, dweight, dbias):
    """Fill dx, dweight and dbias of the convolution from the gradient with respect to the pooled output.

    Parameters
    ----------
    x : float32 (B, C, H, W, L)
    dy : float32 (B, O, I, J, L)
    pool_mask : uint8 (B, O, I, J, L)
        At most one bit each.
    weight, top, left, relu_input, dx, dweight, dbias
        As in conv2d_backward.
    """
    conv2d_backward(x, _unpooled(dy, pool_mask), weight, 1, top, left, relu_input, dx, dweight, dbias)


def conv2d_relu_avgpool_backward(x, dy, pool_mask, weight, top, left, relu_input, dx, dweight, dbias):
    """Fill dx, dweight and dbias of the convolution from the gradient with respect to the pooled output.

    Parameters
    ----------
    x, dy, weight, top, left, relu_input, dx, dweight, dbias
        As in conv2d_relu_maxpool_backward.
    pool_mask : uint8 (B, O, I, J, L)
    """
    conv2d_backward(x, _unpooled(dy / 4, pool_mask), weight, 1, top, left, relu_input, dx, dweight, dbias)


def conv2d_relu_maxpool_backward_weight(x, dy, pool_mask, top, left, dweight, dbias):
    """Fill dweight and dbias of the convolution from the gradient with respect to the pooled output.

    Parameters
    ----------
    x : float32 (B, C, H, W, L)
    dy : float32 (B, O, I, J, L)
    pool_mask : uint8 (B, O, I, J, L)
        At most one bit each.
    top, left, dweight, dbias
        As in conv2d_backward_weight.
    """
    conv2d_backward_weight(x, _unpooled(dy, pool_mask), 1, top, left, dweight, dbias)


def conv2d_relu_avgpool_backward_weight(x, dy, pool_mask, top, left, dweight, dbias):
    """Fill dweight and dbias of the convolution from the gradient with respect to the pooled output.

    Parameters
    ----------
    x, dy, top, left, dweight, dbias
        As in conv2d_relu_maxpool_backward_weight.
    pool_mask : uint8 (B, O, I, J, L)
    """
    conv2d_backward_weight(x, _unpooled(dy / 4, pool_mask), 1, top, left, dweight, dbias)


def _convolved_windows(x, weight, bias, top, left, y):
    """Return the four pixels (4, *y.shape) of each window of the convolution."""
    z = _full_size(y)
    conv2d_forward(x, weight, bias, 1, top, left, z)
    return np.stack([z[:, :, k // 2 :: 2, k % 2 :: 2] for k in range(4)])


def _unpooled(dy, pool_mask):
    """Return the gradient of the output of the convolution: dy at the pixels in pool_mask, else 0."""
    dz = np.zeros_like(_full_size(dy))
    for k in range(4):
        dz[:, :, k // 2 :: 2, k % 2 :: 2] = np.where(pool_mask & (1 << k), dy, 0)
    return dz


def _full_size(pooled):
    B, O, I, J, L = pooled.shape
    return np.empty((B, O, 2 * I, 2 * J, L), pooled.dtype)
