"""The optimisers' step for one vector of parameters, written once for every device."""

from fastdigits.ops.lanes import fma, load, put, splat, sqrt, store, sum_lanes


def sgd_step(parameter, gradient, rate, weight_decay, v):
    p = load(parameter, (v,))
    g = fma(splat(weight_decay), p, load(gradient, (v,)))
    store(parameter, (v,), fma(splat(-rate), g, p))


def momentum_step(parameter, gradient, velocity, rate, momentum, weight_decay, v):
    p = load(parameter, (v,))
    g = fma(splat(weight_decay), p, load(gradient, (v,)))
    speed = fma(splat(momentum), load(velocity, (v,)), g)
    store(velocity, (v,), speed)
    store(parameter, (v,), fma(splat(-rate), speed, p))


def nesterov_step(parameter, gradient, velocity, rate, momentum, weight_decay, v):
    p = load(parameter, (v,))
    g = fma(splat(weight_decay), p, load(gradient, (v,)))
    speed = fma(splat(momentum), load(velocity, (v,)), g)
    store(velocity, (v,), speed)
    store(parameter, (v,), fma(splat(-rate), fma(splat(momentum), speed, g), p))


def adam_step(parameter, gradient, mean, square, factors, epsilon, weight_decay, v):
    """adam_step with the factors of _adam."""
    p = load(parameter, (v,))
    g = fma(splat(weight_decay), p, load(gradient, (v,)))
    _adam(parameter, p, g, mean, square, factors, epsilon, v)


def adamw_step(parameter, gradient, mean, square, factors, epsilon, keep, v):
    """adamw_step with the factors of _adam and keep = 1 - rate weight_decay."""
    p = load(parameter, (v,)) * splat(keep)
    _adam(parameter, p, load(gradient, (v,)), mean, square, factors, epsilon, v)


def _adam(parameter, p, g, mean, square, factors, epsilon, v):
    """The factors are -rate / (1 - beta1^step), (1 - beta2^step)^-1/2, beta1, 1 - beta1, beta2 and 1 - beta2."""
    pace, widen, beta1, rest1, beta2, rest2 = factors
    first = fma(splat(beta1), load(mean, (v,)), splat(rest1) * g)
    second = fma(splat(beta2), load(square, (v,)), splat(rest2) * g * g)
    store(mean, (v,), first)
    store(square, (v,), second)
    root = fma(sqrt(second), splat(widen), splat(epsilon))
    store(parameter, (v,), fma(splat(pace), first / root, p))


def squares_of_part(gradient, sums, s):
    """What clip_norm puts into sums[s]."""
    V, L = gradient.shape
    S = len(sums)
    acc = splat(0.0)
    for v in range(s * V // S, (s + 1) * V // S):
        g = load(gradient, (v,))
        acc = fma(g, g, acc)
    put(sums, (s,), sum_lanes(acc))


def shrink(gradient, factor, v):
    """What clip_norm does to vector v, once the factor is known."""
    store(gradient, (v,), load(gradient, (v,)) * splat(factor))


def average_step(parameter, step_weight, average, v):
    """average_step with step_weight = (1 - decay) / (1 - decay**step)."""
    a = load(average, (v,))
    store(average, (v,), fma(splat(step_weight), load(parameter, (v,)) - a, a))
