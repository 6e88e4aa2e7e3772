"""Losses on a GPU: each warp computes a block of images."""

from numba import cuda, float64

from fastdigits.ops.cuda.device import concurrently
from fastdigits.ops.cuda.launch import LANES, WARPS, blocks, kernel, warp_number
from fastdigits.ops.loss.kernel import (
    count_hits_block,
    mean_squared_error_block,
    softmax_block,
    softmax_cross_entropy_block,
    weigh_losses_block,
)

METRIC_WARPS = 2 * WARPS  # warps of the one block that sums the metrics


def _each_block(scores, *others):
    """Return the grid with a warp for each block of images."""
    return (blocks(len(scores)),)


@kernel(_each_block)
def softmax(scores, probabilities):
    """See reference.softmax."""
    b = warp_number()
    if b < len(scores):
        softmax_block(scores, probabilities, b)


def softmax_cross_entropy(scores, targets, count, smoothing, loss, dscores):
    """See reference.softmax_cross_entropy."""
    off_value = smoothing / scores.shape[1]
    _softmax_cross_entropy(scores, targets, 1 / count, 1 - smoothing + off_value, off_value, loss, dscores)


def mean_squared_error(scores, targets, count, smoothing, loss, dscores):
    """See reference.mean_squared_error."""
    B, K, L = scores.shape
    off_value = smoothing / K
    _mean_squared_error(scores, targets, 2 / (count * K), 1 - smoothing + off_value, off_value, loss, dscores)


@kernel(lambda weights, start, offset, loss, dscores: (blocks(len(loss)),))
def weigh_losses(weights, start, offset, loss, dscores):
    """See reference.weigh_losses."""
    b = warp_number()
    if b < len(loss):
        weigh_losses_block(weights, start[0] + offset, loss, dscores, b)


@concurrently()
@kernel(lambda *arguments: (1,), METRIC_WARPS, writes=["hits", "totals"])
def accumulate_metrics(scores, targets, loss, hits, totals):
    """See reference.accumulate_metrics. The warps of one block sum blocks of images, then two lanes add up the sums."""
    lane, warp = cuda.threadIdx.x, cuda.threadIdx.y
    sums = cuda.shared.array((2, METRIC_WARPS, LANES), float64)
    sums[0, warp, lane] = sums[1, warp, lane] = float64(0.0)
    for b in range(warp, len(scores), METRIC_WARPS):
        count_hits_block(scores, targets, hits, b)
        sums[0, warp, lane] += loss[b, lane]
        sums[1, warp, lane] += hits[b, lane]
    cuda.syncthreads()
    if warp == 0:
        for other in range(1, METRIC_WARPS):
            sums[0, 0, lane] += sums[0, other, lane]
            sums[1, 0, lane] += sums[1, other, lane]
    cuda.syncthreads()
    if warp == 0 and lane < 2:
        for other in range(LANES):
            totals[lane] += sums[lane, 0, other]


@kernel(_each_block)
def _softmax_cross_entropy(scores, targets, inv_count, on_value, off_value, loss, dscores):
    b = warp_number()
    if b < len(scores):
        softmax_cross_entropy_block(scores, targets, inv_count, on_value, off_value, loss, dscores, b)


@kernel(_each_block)
def _mean_squared_error(scores, targets, slope, on_value, off_value, loss, dscores):
    b = warp_number()
    if b < len(scores):
        mean_squared_error_block(scores, targets, slope, on_value, off_value, loss, dscores, b)
