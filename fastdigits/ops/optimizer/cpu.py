"""Optimizers on the CPU: each core updates a contiguous range of the parameters."""

import numpy as np
from numba import njit, prange

from fastdigits.ops.lanes import bind, cpu
from fastdigits.ops.optimizer import kernel

_sgd_step = bind(kernel.sgd_step, cpu)
_momentum_step = bind(kernel.momentum_step, cpu)
_nesterov_step = bind(kernel.nesterov_step, cpu)
_adam_step = bind(kernel.adam_step, cpu)
_adamw_step = bind(kernel.adamw_step, cpu)
_squares_of_part = bind(kernel.squares_of_part, cpu)
_scale_gradient = bind(kernel.scale_gradient, cpu)
_average_step = bind(kernel.average_step, cpu)


@cpu.parallel
def sgd_step(parameter, gradient, rate, weight_decay):
    """See reference.sgd_step."""
    for v in prange(len(parameter)):
        _sgd_step(parameter, gradient, rate[0], weight_decay, np.int64(v))


@cpu.parallel
def momentum_step(parameter, gradient, velocity, rate, momentum, weight_decay):
    """See reference.momentum_step."""
    for v in prange(len(parameter)):
        _momentum_step(parameter, gradient, velocity, rate[0], momentum, weight_decay, np.int64(v))


@cpu.parallel
def nesterov_step(parameter, gradient, velocity, rate, momentum, weight_decay):
    """See reference.nesterov_step."""
    for v in prange(len(parameter)):
        _nesterov_step(parameter, gradient, velocity, rate[0], momentum, weight_decay, np.int64(v))


@cpu.parallel
def adam_step(parameter, gradient, mean, square, rate, step, beta1, beta2, epsilon, weight_decay):
    """See reference.adam_step."""
    factors = _adam_factors(rate[0], step[0], beta1, beta2)
    for v in prange(len(parameter)):
        _adam_step(parameter, gradient, mean, square, factors, epsilon, weight_decay, np.int64(v))


@cpu.parallel
def adamw_step(parameter, gradient, mean, square, rate, step, beta1, beta2, epsilon, weight_decay):
    """See reference.adamw_step."""
    factors, decay_factor = _adam_factors(rate[0], step[0], beta1, beta2), 1 - rate[0] * weight_decay
    for v in prange(len(parameter)):
        _adamw_step(parameter, gradient, mean, square, factors, epsilon, decay_factor, np.int64(v))


@njit(nogil=True, error_model="numpy")
def _adam_factors(rate, step, beta1, beta2):
    return -rate / (1 - beta1**step), (1 - beta2**step) ** -0.5, beta1, 1 - beta1, beta2, 1 - beta2


@cpu.parallel
def clip_norm(gradient, limit, sums, factor):
    """See reference.clip_norm. The parts of the sum, and so its bits, do not depend on the number of cores."""
    for s in prange(len(sums)):
        _squares_of_part(gradient, sums, s)
    total = 0.0
    for s in range(len(sums)):
        total += sums[s]
    norm = total**0.5
    factor[0] = 1.0 if norm <= limit else limit / norm
    if factor[0] != 1:  # also if it is NaN
        for v in prange(len(gradient)):
            _scale_gradient(gradient, factor[0], v)


@cpu.parallel
def average_step(parameter, step, decay, average):
    """See reference.average_step."""
    step_weight = (1 - decay) / (1 - decay ** step[0])
    for v in prange(len(parameter)):
        _average_step(parameter, step_weight, average, v)
