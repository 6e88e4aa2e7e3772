"""Which warp judges which images: one block of them."""

from fastdigits.ops.launch import blocks, kernel, warp_number
from fastdigits.ops.loss.kernel import (
    count_hits_block,
    mean_squared_error_block,
    softmax_block,
    softmax_cross_entropy_block,
)


def _each_block(scores, *others):
    """The grid with a warp for each block of images."""
    return (blocks(len(scores)),)


@kernel(_each_block)
def softmax(scores, probabilities):
    """See reference.softmax."""
    b = warp_number()
    if b < len(scores):
        softmax_block(scores, probabilities, b)


def softmax_cross_entropy(scores, targets, count, smoothing, loss, dscores):
    """See reference.softmax_cross_entropy."""
    low = smoothing / scores.shape[1]
    _softmax_cross_entropy(scores, targets, 1 / count, 1 - smoothing + low, low, loss, dscores)


def mean_squared_error(scores, targets, count, smoothing, loss, dscores):
    """See reference.mean_squared_error."""
    B, K, L = scores.shape
    low = smoothing / K
    _mean_squared_error(scores, targets, 2 / (count * K), 1 - smoothing + low, low, loss, dscores)


@kernel(_each_block)
def count_hits(scores, targets, hits):
    """See reference.count_hits."""
    b = warp_number()
    if b < len(scores):
        count_hits_block(scores, targets, hits, b)


@kernel(_each_block)
def _softmax_cross_entropy(scores, targets, share, high, low, loss, dscores):
    b = warp_number()
    if b < len(scores):
        softmax_cross_entropy_block(scores, targets, share, high, low, loss, dscores, b)


@kernel(_each_block)
def _mean_squared_error(scores, targets, slope, high, low, loss, dscores):
    b = warp_number()
    if b < len(scores):
        mean_squared_error_block(scores, targets, slope, high, low, loss, dscores, b)
