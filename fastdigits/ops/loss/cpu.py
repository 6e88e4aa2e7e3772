"""Losses on the CPU. They run on one core, because waking a second one takes longer than the whole batch."""

from fastdigits.ops.lanes import bind, cpu
from fastdigits.ops.loss import kernel

_softmax_block = bind(kernel.softmax_block, cpu)
_softmax_cross_entropy_block = bind(kernel.softmax_cross_entropy_block, cpu)
_mean_squared_error_block = bind(kernel.mean_squared_error_block, cpu)
_weigh_losses_block = bind(kernel.weigh_losses_block, cpu)
_count_hits_block = bind(kernel.count_hits_block, cpu)


@cpu.serial
def softmax(scores, probabilities):
    """See reference.softmax."""
    for b in range(len(scores)):
        _softmax_block(scores, probabilities, b)


@cpu.serial
def softmax_cross_entropy(scores, targets, count, smoothing, loss, dscores):
    """See reference.softmax_cross_entropy."""
    B, K, L = scores.shape
    off_value = smoothing / K
    for b in range(B):
        _softmax_cross_entropy_block(scores, targets, 1 / count, 1 - smoothing + off_value, off_value, loss, dscores, b)


@cpu.serial
def mean_squared_error(scores, targets, count, smoothing, loss, dscores):
    """See reference.mean_squared_error."""
    B, K, L = scores.shape
    off_value = smoothing / K
    for b in range(B):
        _mean_squared_error_block(
            scores, targets, 2 / (count * K), 1 - smoothing + off_value, off_value, loss, dscores, b
        )


@cpu.serial
def weigh_losses(weights, start, offset, loss, dscores):
    """See reference.weigh_losses."""
    for b in range(len(loss)):
        _weigh_losses_block(weights, start[0] + offset, loss, dscores, b)


@cpu.serial
def accumulate_metrics(scores, targets, loss, hits, totals):
    """See reference.accumulate_metrics. Adds one image after the other."""
    B, K, L = scores.shape
    loss_sum = hits_sum = 0.0
    for b in range(B):
        _count_hits_block(scores, targets, hits, b)
        for l in range(L):
            loss_sum += loss[b, l]
            hits_sum += hits[b, l]
    totals[0] += loss_sum
    totals[1] += hits_sum
