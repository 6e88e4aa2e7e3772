"""Losses of one block of images."""

from fastdigits.ops.lanes import exceeds, fma, load, load_row, maximum, select, splat, store
from fastdigits.ops.lanes.math import exp, log


def softmax_block(scores, probabilities, b):
    """Fill the probabilities of block b."""
    B, K, L = scores.shape
    top = _highest(scores, b)
    total = splat(0.0)
    for k in range(K):
        power = exp(load(scores, (b, k)) - top)
        total = total + power
        store(probabilities, (b, k), power)
    for k in range(K):
        store(probabilities, (b, k), load(probabilities, (b, k)) / total)


def softmax_cross_entropy_block(scores, targets, inv_count, on_value, off_value, loss, dscores, b):
    """Fill loss and dscores of block b, with inv_count = 1 / count and targets of on_value and off_value."""
    B, K, L = scores.shape
    target, top = load(targets, (b,)), _highest(scores, b)
    total, goal_score = splat(0.0), splat(0.0)
    for k in range(K):
        score = load(scores, (b, k)) - top
        power = exp(score)
        total = total + power
        goal = _goal(target, k, on_value, off_value)
        goal_score = fma(goal, select(goal > splat(0.0), score, splat(0.0)), goal_score)  # score may be -infinity
        store(dscores, (b, k), power)
    filled = target >= splat(0.0)
    store(loss, (b,), select(filled, log(total) - goal_score, splat(0.0)))
    scale = select(filled, splat(inv_count), splat(0.0))
    for k in range(K):
        goal = _goal(target, k, on_value, off_value)
        store(dscores, (b, k), scale * (load(dscores, (b, k)) / total - goal))


def mean_squared_error_block(scores, targets, slope, on_value, off_value, loss, dscores, b):
    """Fill loss and dscores of block b, with slope = 2 / (count K) and targets of on_value and off_value."""
    B, K, L = scores.shape
    target = load(targets, (b,))
    filled, total = target >= splat(0.0), splat(0.0)
    for k in range(K):
        difference = load(scores, (b, k)) - _goal(target, k, on_value, off_value)
        difference = select(filled, difference, splat(0.0))
        total = total + difference * difference
        store(dscores, (b, k), splat(slope) * difference)
    store(loss, (b,), splat(1 / K) * total)


def weigh_losses_block(weights, first, loss, dscores, b):
    """Multiply loss and dscores of block b by the weights of its images; weights[first] is that of image 0."""
    B, K, L = dscores.shape
    weight = load_row(weights, (first + b * L,), len(weights), L)
    store(loss, (b,), weight * load(loss, (b,)))
    for k in range(K):
        store(dscores, (b, k), weight * load(dscores, (b, k)))


def count_hits_block(scores, targets, hits, b):
    """Fill the hits of block b; see accumulate_metrics."""
    B, K, L = scores.shape
    best, winner = load(scores, (b, 0)), splat(0.0)
    for k in range(1, K):
        score = load(scores, (b, k))
        winner = select(exceeds(score, best), select(best == best, splat(k), winner), winner)  # the first NaN
        best = maximum(score, best)
    store(hits, (b,), select(winner == load(targets, (b,)), splat(1.0), splat(0.0)))


def _highest(scores, b):
    B, K, L = scores.shape
    top = load(scores, (b, 0))
    for k in range(1, K):
        top = maximum(load(scores, (b, k)), top)
    return top


def _goal(target, k, on_value, off_value):
    """Return the target of class k: on_value in the lanes of that class, else off_value."""
    return select(target == splat(k), splat(on_value), splat(off_value))
