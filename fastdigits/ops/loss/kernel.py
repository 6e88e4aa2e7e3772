"""The losses of one block of images, written once for every device."""

from fastdigits.ops.lanes import fma, load, maximum, select, splat, store
from fastdigits.ops.lanes.math import exp, log


def softmax_block(scores, probabilities, b):
    """softmax for block b."""
    B, K, L = scores.shape
    top = _highest(scores, b)
    total = splat(0.0)
    for k in range(K):
        power = exp(load(scores, (b, k)) - top)
        total = total + power
        store(probabilities, (b, k), power)
    for k in range(K):
        store(probabilities, (b, k), load(probabilities, (b, k)) / total)


def softmax_cross_entropy_block(scores, targets, share, high, low, loss, dscores, b):
    """softmax_cross_entropy for block b, with share = 1 / count and goals of high and low."""
    B, K, L = scores.shape
    target, top = load(targets, (b,)), _highest(scores, b)
    total, wanted = splat(0.0), splat(0.0)
    for k in range(K):
        score = load(scores, (b, k)) - top
        power = exp(score)
        total = total + power
        wanted = fma(_goal(target, k, high, low), score, wanted)
        store(dscores, (b, k), power)
    filled = target >= splat(0.0)
    store(loss, (b,), select(filled, log(total) - wanted, splat(0.0)))
    scale = select(filled, splat(share), splat(0.0))
    for k in range(K):
        goal = _goal(target, k, high, low)
        store(dscores, (b, k), scale * (load(dscores, (b, k)) / total - goal))


def mean_squared_error_block(scores, targets, slope, high, low, loss, dscores, b):
    """mean_squared_error for block b, with slope = 2 / (count K) and goals of high and low."""
    B, K, L = scores.shape
    target = load(targets, (b,))
    filled, total = target >= splat(0.0), splat(0.0)
    for k in range(K):
        difference = load(scores, (b, k)) - _goal(target, k, high, low)
        difference = select(filled, difference, splat(0.0))
        total = total + difference * difference
        store(dscores, (b, k), splat(slope) * difference)
    store(loss, (b,), splat(1 / K) * total)


def _goal(target, k, high, low):
    """What the network is to say for class k: `high` for the target's."""
    return select(target == splat(k), splat(high), splat(low))


def count_hits_block(scores, targets, hits, b):
    """The hits of tally for block b."""
    B, K, L = scores.shape
    best, winner = load(scores, (b, 0)), splat(0.0)
    for k in range(1, K):
        score = load(scores, (b, k))
        winner = select(score > best, splat(k), winner)
        best = maximum(score, best)
    store(hits, (b,), select(winner == load(targets, (b,)), splat(1.0), splat(0.0)))


def _highest(scores, b):
    B, K, L = scores.shape
    top = load(scores, (b, 0))
    for k in range(1, K):
        top = maximum(load(scores, (b, k)), top)
    return top
