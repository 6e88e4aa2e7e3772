"""The focal loss, the optimizer Lion, a schedule, an augmentation and a network."""

import numpy as np

from fastdigits import Dense, Flatten
from fastdigits.extend import Augmentation, Loss, Model, Operation, Optimizer, Schedule
from fastdigits.ops.lanes import fma, load, select, splat, store
from fastdigits.ops.lanes.math import exp, log
from rectifiers.layers import Squareplus


def focal_loss(scores, targets, count, smoothing, loss, dscores):
    """(1 - p)^2 (-log p) with the probability p of the target; see Lin et al. (2017), with gamma = 2."""
    K = scores.shape[1]
    powers = np.exp(scores - scores.max(1, keepdims=True))
    probabilities = powers / powers.sum(1, keepdims=True)
    hit = np.arange(K)[:, None] == targets[:, None]
    p = np.where(targets >= 0, (probabilities * hit).sum(1), 1)
    loss[...] = -((1 - p) ** 2) * np.log(p)
    slope = (1 - p) * (2 * p * np.log(p) - (1 - p)) / count  # dloss/dp * p
    dscores[...] = np.where(targets[:, None] >= 0, slope[:, None] * (hit - probabilities), 0)


def focal_loss_block(scores, targets, count, smoothing, loss, dscores, b):
    B, K, L = scores.shape
    target, total, p = load(targets, (b,)), splat(0.0), splat(0.0)
    top = load(scores, (b, 0))
    for k in range(1, K):
        score = load(scores, (b, k))
        top = select(score > top, score, top)
    for k in range(K):
        power = exp(load(scores, (b, k)) - top)
        total = total + power
        p = select(target == splat(k), power, p)
        store(dscores, (b, k), power)
    filled = target >= splat(0.0)
    p = select(filled, p / total, splat(1.0))
    rest, log_p = splat(1.0) - p, log(p)
    store(loss, (b,), (splat(0.0) - rest * rest) * log_p)
    slope = rest * fma(splat(2.0) * p, log_p, p - splat(1.0)) / splat(count)
    for k in range(K):
        hit = select(target == splat(k), splat(1.0), splat(0.0))
        store(dscores, (b, k), select(filled, slope * (hit - load(dscores, (b, k)) / total), splat(0.0)))


FOCAL = Loss("focal", Operation(focal_loss, focal_loss_block))


def lion_step(parameter, gradient, mean, rate, beta1, beta2):
    """See Chen et al. (2023), Symbolic discovery of optimization algorithms."""
    parameter -= rate[0] * np.sign(beta1 * mean + (1 - beta1) * gradient)
    mean *= beta2
    mean += (1 - beta2) * gradient


def lion_vector(parameter, gradient, mean, rate, beta1, beta2, v):
    g, m, zero = load(gradient, (v,)), load(mean, (v,)), splat(0.0)
    direction = fma(splat(beta1), m, splat(1 - beta1) * g)
    sign = select(direction > zero, splat(1.0), select(zero > direction, splat(-1.0), zero))
    store(parameter, (v,), fma(splat(-rate[0]), sign, load(parameter, (v,))))
    store(mean, (v,), fma(splat(beta2), m, splat(1 - beta2) * g))


LION = Optimizer("lion", Operation(lion_step, lion_vector), ("mean",), ("rate", "beta1", "beta2"), lr=0.001)

HALVING = Schedule("halving", lambda at: 0.5 ** (at.step // at.epoch_steps))


def salt(images, amount, random):
    images[random.random(images.shape) < amount] = 255
    return images


SALT = Augmentation("salt", salt, 0.5, "the fraction of pixels that turn white")


def small(classes):
    """A network with one hidden layer and squareplus."""
    return [Flatten(), Dense(16), Squareplus(), Dense(classes)]


SMALL = Model("small", small)
