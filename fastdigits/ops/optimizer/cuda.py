"""Which warp steps which parameters: a single vector.

The betas are rounded to float32 before anything is made of them, so that all of it belongs to the same numbers.
"""

import math

import numpy as np
from numba import float32

from fastdigits.ops.cuda.launch import blocks, bound, kernel, warp_number
from fastdigits.ops.optimizer import kernel as vectors

_step_sgd = bound(vectors.sgd_step)
_step_momentum = bound(vectors.momentum_step)
_step_nesterov = bound(vectors.nesterov_step)
_step_adam = bound(vectors.adam_step)
_step_adamw = bound(vectors.adamw_step)
_sum_squares = bound(vectors.squares_of_part)
_shrink_vector = bound(vectors.shrink)
_step_average = bound(vectors.average_step)


def _each_vector(parameter, *others):
    """The grid with a warp for each vector of parameters."""
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
    _adam_step(parameter, gradient, mean, square, rate, step, *_decay(beta1), *_decay(beta2), epsilon, weight_decay)


def adamw_step(parameter, gradient, mean, square, rate, step, beta1, beta2, epsilon, weight_decay):
    """See reference.adamw_step."""
    _adamw_step(parameter, gradient, mean, square, rate, step, *_decay(beta1), *_decay(beta2), epsilon, weight_decay)


def clip_norm(gradient, limit, sums, factor):
    """See reference.clip_norm. A warp owns a part of the sum, then a vector."""
    _squares(gradient, sums)
    _shrink(gradient, limit, sums, factor)


def average_step(parameter, step, decay, average):
    """See reference.average_step."""
    _average_step(parameter, step, *_decay(decay), average)


def _decay(beta):
    """beta, 1 - beta and log(beta), as float32."""
    beta = np.float32(beta)
    return beta, 1 - beta, np.float32(math.log(beta) if beta else -math.inf)


@bound
def _bias(step, log_beta):
    """1 - beta^step, also for a beta close to 1."""
    return -math.expm1(float32(step) * log_beta)


@kernel(_each_vector)
def _adam_step(
    parameter, gradient, mean, square, rate, step, beta1, rest1, log1, beta2, rest2, log2, epsilon, weight_decay
):
    v = warp_number()
    if v < len(parameter):
        pace, widen = -rate[0] / _bias(step[0], log1), float32(1) / math.sqrt(_bias(step[0], log2))
        factors = pace, widen, beta1, rest1, beta2, rest2
        _step_adam(parameter, gradient, mean, square, factors, epsilon, weight_decay, v)


@kernel(_each_vector)
def _adamw_step(
    parameter, gradient, mean, square, rate, step, beta1, rest1, log1, beta2, rest2, log2, epsilon, weight_decay
):
    v = warp_number()
    if v < len(parameter):
        pace, widen = -rate[0] / _bias(step[0], log1), float32(1) / math.sqrt(_bias(step[0], log2))
        factors = pace, widen, beta1, rest1, beta2, rest2
        _step_adamw(parameter, gradient, mean, square, factors, epsilon, float32(1) - rate[0] * weight_decay, v)


@kernel(lambda gradient, sums: (blocks(len(sums)),))
def _squares(gradient, sums):
    s = warp_number()
    if s < len(sums):
        _sum_squares(gradient, sums, s)


@kernel(_each_vector)
def _shrink(gradient, limit, sums, factor):
    v, total = warp_number(), float32(0)
    for s in range(len(sums)):  # each warp by itself, in the same order
        total += sums[s]
    norm = math.sqrt(total)
    share = limit / (norm if norm > limit else limit)
    if v == 0:
        factor[0] = share
    if v < len(gradient) and share < float32(1):
        _shrink_vector(gradient, share, v)


@kernel(_each_vector)
def _average_step(parameter, step, decay, rest, log_decay, average):
    v = warp_number()
    if v < len(parameter):
        _step_average(parameter, rest / _bias(step[0], log_decay), average, v)
