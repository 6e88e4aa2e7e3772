"""Optimizer steps for one vector of parameters."""

from fastdigits.ops.lanes import fma, load, splat, sqrt, store, store_scalar, sum_lanes
from fastdigits.ops.lanes.math import without_subnormal


def sgd_step(parameter, gradient, rate, weight_decay, v):
    p = load(parameter, (v,))
    g = fma(splat(weight_decay), p, load(gradient, (v,)))
    store(parameter, (v,), fma(splat(-rate), g, p))


def momentum_step(parameter, gradient, velocity, rate, momentum, weight_decay, v):
    p = load(parameter, (v,))
    g = fma(splat(weight_decay), p, load(gradient, (v,)))
    new_velocity = without_subnormal(fma(splat(momentum), load(velocity, (v,)), g))
    store(velocity, (v,), new_velocity)
    store(parameter, (v,), fma(splat(-rate), new_velocity, p))


def nesterov_step(parameter, gradient, velocity, rate, momentum, weight_decay, v):
    p = load(parameter, (v,))
    g = fma(splat(weight_decay), p, load(gradient, (v,)))
    new_velocity = without_subnormal(fma(splat(momentum), load(velocity, (v,)), g))
    store(velocity, (v,), new_velocity)
    store(parameter, (v,), fma(splat(-rate), fma(splat(momentum), new_velocity, g), p))


def adam_step(parameter, gradient, mean, square, factors, epsilon, weight_decay, v):
    """Update vector v by Adam; see _adam for `factors`."""
    p = load(parameter, (v,))
    g = fma(splat(weight_decay), p, load(gradient, (v,)))
    _adam(parameter, p, g, mean, square, factors, epsilon, v)


def adamw_step(parameter, gradient, mean, square, factors, epsilon, decay_factor, v):
    """Update vector v by AdamW, with decay_factor = 1 - rate weight_decay; see _adam for `factors`."""
    p = load(parameter, (v,)) * splat(decay_factor)
    _adam(parameter, p, load(gradient, (v,)), mean, square, factors, epsilon, v)


def _adam(parameter, p, g, mean, square, factors, epsilon, v):
    """Step with factors (-rate / (1 - beta1^step), (1 - beta2^step)^-1/2, beta1, 1 - beta1, beta2, 1 - beta2)."""
    step_size, inv_sqrt_bias2, beta1, one_minus_beta1, beta2, one_minus_beta2 = factors
    first = without_subnormal(fma(splat(beta1), load(mean, (v,)), splat(one_minus_beta1) * g))
    second = fma(splat(beta2), load(square, (v,)), splat(one_minus_beta2) * g * g)
    store(mean, (v,), first)
    store(square, (v,), second)
    root = fma(sqrt(second), splat(inv_sqrt_bias2), splat(epsilon))
    store(parameter, (v,), fma(splat(step_size), first / root, p))


def squares_of_part(gradient, sums, s):
    """Fill sums[s] with the squared norm of part s of the gradient; see clip_norm."""
    V, L = gradient.shape
    S = len(sums)
    acc = splat(0.0)
    for v in range(s * V // S, (s + 1) * V // S):
        g = load(gradient, (v,))
        acc = fma(g, g, acc)
    store_scalar(sums, (s,), sum_lanes(acc))


def scale_gradient(gradient, factor, v):
    """Multiply vector v of the gradient by factor."""
    store(gradient, (v,), load(gradient, (v,)) * splat(factor))


def average_step(parameter, step_weight, average, v):
    """Update vector v of the average, with step_weight = (1 - decay) / (1 - decay^step)."""
    a = load(average, (v,))
    store(average, (v,), fma(splat(step_weight), load(parameter, (v,)) - a, a))
