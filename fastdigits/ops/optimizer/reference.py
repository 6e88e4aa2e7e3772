"""Definitions of the optimizers.

The velocity of momentum and the running mean of Adam shrink at each step in which a gradient is 0, as it is for a unit
that is never active. They become 0 once they are subnormal, below 2^-126: many CPUs need 100 times as long for
subnormal numbers, and no parameter notices the difference.
"""

import numpy as np


def sgd_step(parameter, gradient, rate, weight_decay):
    """Subtract rate g from parameter, with g = gradient + weight_decay parameter.

    Parameters
    ----------
    parameter : float32 (V, L), changed
    gradient : float32 (V, L)
    rate : float32 (1,)
    weight_decay : float

    References
    ----------
    Robbins and Monro (1951), A stochastic approximation method.
    """
    parameter -= rate[0] * (gradient + weight_decay * parameter)


def momentum_step(parameter, gradient, velocity, rate, momentum, weight_decay):
    """Set velocity to momentum velocity + g and subtract rate velocity from parameter, with g as in sgd_step.

    A subnormal velocity becomes 0.

    Parameters
    ----------
    parameter, velocity : float32 (V, L), changed
    gradient : float32 (V, L)
    rate : float32 (1,)
    momentum, weight_decay : float

    References
    ----------
    Polyak (1964), Some methods of speeding up the convergence of iteration methods.
    """
    velocity *= momentum
    velocity += gradient + weight_decay * parameter
    _clear_subnormal(velocity)
    parameter -= rate[0] * velocity


def nesterov_step(parameter, gradient, velocity, rate, momentum, weight_decay):
    """Set velocity to momentum velocity + g and subtract rate (g + momentum velocity), with g as in sgd_step.

    A subnormal velocity becomes 0.

    Parameters
    ----------
    parameter, gradient, velocity, rate, momentum, weight_decay
        As in momentum_step.

    References
    ----------
    Sutskever et al. (2013), On the importance of initialization and momentum in deep learning, equations 3 and 4,
    with the parameters taken at the look-ahead point.
    """
    g = gradient + weight_decay * parameter
    velocity *= momentum
    velocity += g
    _clear_subnormal(velocity)
    parameter -= rate[0] * (g + momentum * velocity)


def adam_step(parameter, gradient, mean, square, rate, step, beta1, beta2, epsilon, weight_decay):
    """Update the running means of g and g^2 and step along their bias-corrected quotient.

    mean = beta1 mean + (1 - beta1) g    square = beta2 square + (1 - beta2) g^2    with g as in sgd_step
    mean = 0 where it is subnormal
    parameter -= rate mean / (1 - beta1^step) / (sqrt(square / (1 - beta2^step)) + epsilon)

    Parameters
    ----------
    parameter, mean, square : float32 (V, L), changed
    gradient : float32 (V, L)
    rate : float32 (1,)
    step : int64 (1,)
        Number of this step, starting at 1.
    beta1, beta2, epsilon, weight_decay : float

    References
    ----------
    Kingma and Ba (2015), Adam: a method for stochastic optimization, algorithm 1.
    """
    _adam(parameter, gradient + weight_decay * parameter, mean, square, rate, step, beta1, beta2, epsilon)


def adamw_step(parameter, gradient, mean, square, rate, step, beta1, beta2, epsilon, weight_decay):
    """Multiply parameter by 1 - rate weight_decay, then step like Adam without weight decay.

    Parameters
    ----------
    parameter, gradient, mean, square, rate, step, beta1, beta2, epsilon, weight_decay
        As in adam_step.

    References
    ----------
    Loshchilov and Hutter (2019), Decoupled weight decay regularization, algorithm 2.
    """
    parameter *= 1 - rate[0] * weight_decay
    _adam(parameter, gradient, mean, square, rate, step, beta1, beta2, epsilon)


def clip_norm(gradient, limit, sums, factor):
    """Scale all gradients by one factor so that their norm is at most `limit`.

    sums[s] = sum of gradient[v, l]^2 over the vectors v from floor(s V / S) to floor((s + 1) V / S)
    factor[0] = min(1, limit / sqrt(sum_s sums[s])), or NaN if that is NaN; gradient is multiplied by it

    Parameters
    ----------
    gradient : float32 (V, L), changed
    limit : float
        Above 0.
    sums : float32 (S,), filled
        Parts of the squared norm; S sets the order of summation.
    factor : float32 (1,), filled

    References
    ----------
    Pascanu, Mikolov and Bengio (2013), On the difficulty of training recurrent neural networks, algorithm 1.
    """
    V, S = len(gradient), len(sums)
    for s in range(S):
        part = gradient[s * V // S : (s + 1) * V // S]
        sums[s] = (part * part).sum()
    norm = np.sqrt(sums.sum())
    factor[0] = 1 if norm <= limit else limit / norm
    gradient *= factor[0]


def average_step(parameter, step, decay, average):
    """Update the exponential moving average of the parameters.

    average += (parameter - average) (1 - decay) / (1 - decay^step), so that after every step
    average = sum_{i <= step} decay^(step - i) parameter_i / sum_{i <= step} decay^(step - i)

    The first step overwrites `average`, so the average has no bias towards its initial value.

    Parameters
    ----------
    parameter : float32 (V, L)
    step : int64 (1,)
        Number of this step, starting at 1.
    decay : float
        From 0 to below 1.
    average : float32 (V, L), changed

    References
    ----------
    Polyak and Juditsky (1992), Acceleration of stochastic approximation by averaging;
    Kingma and Ba (2015), Adam: a method for stochastic optimization, section 7.2 (the correction of the bias).
    """
    average += (parameter - average) * ((1 - decay) / (1 - decay ** step[0]))


def _adam(parameter, gradient, mean, square, rate, step, beta1, beta2, epsilon):
    mean *= beta1
    mean += (1 - beta1) * gradient
    _clear_subnormal(mean)
    square *= beta2
    square += (1 - beta2) * gradient * gradient
    root = np.sqrt(square / (1 - beta2 ** step[0])) + epsilon
    parameter -= rate[0] / (1 - beta1 ** step[0]) * mean / root


def _clear_subnormal(array):
    array[np.abs(array) < np.finfo(np.float32).tiny] = 0
