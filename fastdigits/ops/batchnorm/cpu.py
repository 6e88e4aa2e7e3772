"""Batch normalization on the CPU: each core sums a channel and then normalizes it while it is in the cache."""

import numpy as np
from numba import prange

from fastdigits.ops.batchnorm import cpu_kernel
from fastdigits.ops.lanes import bind, cpu

_forward_channel = bind(cpu_kernel.forward_channel, cpu)
_normalise_plane = bind(cpu_kernel.normalise_plane, cpu)
_backward_channel = bind(cpu_kernel.backward_channel, cpu)
_fold_output = bind(cpu_kernel.fold_output, cpu)


@cpu.parallel
def batchnorm_forward(x, gamma, beta, count, epsilon, momentum, running_mean, running_var, mean, var, y):
    """See reference.batchnorm_forward. Each core computes whole channels of all images."""
    for c in prange(x.shape[1]):
        _forward_channel(
            x, gamma, beta, count, epsilon, momentum, running_mean, running_var, mean, var, y, np.int64(c), 0
        )


@cpu.parallel
def batchnorm_inference(x, gamma, beta, mean, var, epsilon, y):
    """See reference.batchnorm_inference. Each core computes whole channels of an image block."""
    B, C, S, L = x.shape
    for t in prange(B * C):
        c = t % C
        scale = gamma[c] * (var[c] + epsilon) ** -0.5
        _normalise_plane(x, mean[c], scale, beta[c], y, t // C, c, 0)


@cpu.parallel
def batchnorm_backward(x, dy, gamma, mean, var, count, epsilon, dgamma, dbeta, dx):
    """See reference.batchnorm_backward. Each core computes whole channels of all images."""
    for c in prange(x.shape[1]):
        _backward_channel(x, x, dy, gamma, mean, var, count, epsilon, dgamma, dbeta, dx, np.int64(c), 0)


@cpu.serial
def batchnorm_fold(weight, bias, gamma, beta, mean, var, epsilon, folded_weight, folded_bias):
    """See reference.batchnorm_fold. Runs on one core, because there are few weights."""
    for o in range(len(weight)):
        _fold_output(weight, bias, gamma, beta, mean, var, epsilon, folded_weight, folded_bias, o)
