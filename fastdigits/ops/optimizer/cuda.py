"""Optimizers on a GPU: each warp updates one vector of parameters.

The betas are rounded to float32 first, so that all terms are computed from the same numbers.
"""

import math

import numpy as np
from numba import cuda, float32

from fastdigits.ops.cuda.launch import WARPS, blocks, bound, kernel, warp_number
from fastdigits.ops.optimizer import kernel as vectors

CORRECTED_WARPS = 2 * WARPS  # warps that share the bias corrections of Adam, which take half of the work of one

_step_sgd = bound(vectors.sgd_step)
_step_momentum = bound(vectors.momentum_step)
_step_nesterov = bound(vectors.nesterov_step)
_step_adam = bound(vectors.adam_step)
_step_adamw = bound(vectors.adamw_step)
_sum_squares = bound(vectors.squares_of_part)
_scale_vector = bound(vectors.scale_gradient)
_step_average = bound(vectors.average_step)


def _each_vector(parameter, *others):
    """Return the grid with a warp for each vector of parameters."""
    return (blocks(len(parameter)),)


@kernel(_each_vector)
def sgd_step(parameter, gradient, rate, weight_decay):
    """See reference.sgd_step."""
    v = warp_number()
    if v < len(parameter):
        _step_sgd(parameter, gradient, rate[0], weight_decay, v)


@kernel(_each_vector)
def momentum_step(parameter, gradient, velocity, rate, momentum, weight_decay):
    """See reference.momentum_step."""
    v = warp_number()
    if v < len(parameter):
        _step_momentum(parameter, gradient, velocity, rate[0], momentum, weight_decay, v)


@kernel(_each_vector)
def nesterov_step(parameter, gradient, velocity, rate, momentum, weight_decay):
    """See reference.nesterov_step."""
    v = warp_number()
    if v < len(parameter):
        _step_nesterov(parameter, gradient, velocity, rate[0], momentum, weight_decay, v)


def adam_step(parameter, gradient, mean, square, rate, step, beta1, beta2, epsilon, weight_decay):
    """See reference.adam_step."""
    _adam_step(parameter, gradient, mean, square, rate, step, *_powers(beta1), *_powers(beta2), epsilon, weight_decay)


def adamw_step(parameter, gradient, mean, square, rate, step, beta1, beta2, epsilon, weight_decay):
    """See reference.adamw_step."""
    _adamw_step(parameter, gradient, mean, square, rate, step, *_powers(beta1), *_powers(beta2), epsilon, weight_decay)


def clip_norm(gradient, limit, sums, factor):
    """See reference.clip_norm. Each warp computes a part of the sum, then scales a vector."""
    _squares(gradient, sums)
    _scale_gradient(gradient, limit, sums, factor)


def average_step(parameter, step, decay, average):
    """See reference.average_step."""
    _average_step(parameter, step, *_powers(decay), average)


def _powers(beta):
    """Return beta, 1 - beta and log(beta) as float32."""
    beta = np.float32(beta)
    return beta, 1 - beta, np.float32(math.log(beta) if beta else -math.inf)


@bound
def _bias_correction(step, log_beta):
    """Return 1 - beta^step, precise for a beta close to 1."""
    return -math.expm1(float32(step) * log_beta)


@bound
def _fill_factors(shared, rate, step, log_beta1, log_beta2):
    """Compute the first two factors of vectors.adam_step."""
    shared[0] = -rate[0] / _bias_correction(step[0], log_beta1)
    shared[1] = float32(1) / math.sqrt(_bias_correction(step[0], log_beta2))


def _each_corrected_vector(parameter, *others):
    """Return the grid with a warp for each vector of parameters, in blocks that share factors."""
    return (math.ceil(len(parameter) / CORRECTED_WARPS),)


@kernel(_each_corrected_vector, CORRECTED_WARPS)
def _adam_step(
    parameter, gradient, mean, square, rate, step, beta1, one_minus_beta1, log_beta1, beta2, one_minus_beta2, log_beta2,
    epsilon, weight_decay,
):  # fmt: skip
    v, shared = warp_number(), cuda.shared.array(2, float32)
    if cuda.threadIdx.x + cuda.threadIdx.y == 0:
        _fill_factors(shared, rate, step, log_beta1, log_beta2)
    cuda.syncthreads()
    if v < len(parameter):
        factors = shared[0], shared[1], beta1, one_minus_beta1, beta2, one_minus_beta2
        _step_adam(parameter, gradient, mean, square, factors, epsilon, weight_decay, v)


@kernel(_each_corrected_vector, CORRECTED_WARPS)
def _adamw_step(
    parameter, gradient, mean, square, rate, step, beta1, one_minus_beta1, log_beta1, beta2, one_minus_beta2, log_beta2,
    epsilon, weight_decay,
):  # fmt: skip
    v, shared = warp_number(), cuda.shared.array(2, float32)
    if cuda.threadIdx.x + cuda.threadIdx.y == 0:
        _fill_factors(shared, rate, step, log_beta1, log_beta2)
    cuda.syncthreads()
    if v < len(parameter):
        factors = shared[0], shared[1], beta1, one_minus_beta1, beta2, one_minus_beta2
        _step_adamw(parameter, gradient, mean, square, factors, epsilon, float32(1) - rate[0] * weight_decay, v)


@kernel(lambda gradient, sums: (blocks(len(sums)),))
def _squares(gradient, sums):
    s = warp_number()
    if s < len(sums):
        _sum_squares(gradient, sums, s)


@kernel(_each_vector)
def _scale_gradient(gradient, limit, sums, factor):
    v, total = warp_number(), float32(0)
    for s in range(len(sums)):  # every warp adds them in the same order
        total += sums[s]
    norm = math.sqrt(total)
    scale = float32(1) if norm <= limit else limit / norm
    if v == 0:
        factor[0] = scale
    if v < len(gradient) and scale != float32(1):  # also if it is NaN
        _scale_vector(gradient, scale, v)


@kernel(_each_vector)
def _average_step(parameter, step, decay, one_minus_decay, log_decay, average):
    v = warp_number()
    if v < len(parameter):
        _step_average(parameter, one_minus_decay / _bias_correction(step[0], log_decay), average, v)
