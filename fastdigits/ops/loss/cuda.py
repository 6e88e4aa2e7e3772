"""Which warp judges which images: one block of them."""

from numba import cuda, float64

from fastdigits.ops.cuda.launch import LANES, WARPS, blocks, kernel, warp_number
from fastdigits.ops.loss.kernel import (
    count_hits_block,
    mean_squared_error_block,
    softmax_block,
    softmax_cross_entropy_block,
)

TALLY_WARPS = 2 * WARPS


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


@kernel(lambda *arguments: (1,), TALLY_WARPS)
def accumulate_metrics(scores, targets, loss, hits, totals):
    """See reference.accumulate_metrics. Each warp of one block sums some blocks of images; one lane sums the warps."""
    lane, warp = cuda.threadIdx.x, cuda.threadIdx.y
    sums = cuda.shared.array((2, TALLY_WARPS, LANES), float64)
    sums[0, warp, lane] = sums[1, warp, lane] = float64(0.0)
    for b in range(warp, len(scores), TALLY_WARPS):
        count_hits_block(scores, targets, hits, b)
        sums[0, warp, lane] += loss[b, lane]
        sums[1, warp, lane] += hits[b, lane]
    cuda.syncthreads()
    if warp == 0:
        for other in range(1, TALLY_WARPS):
            sums[0, 0, lane] += sums[0, other, lane]
            sums[1, 0, lane] += sums[1, other, lane]
    cuda.syncthreads()
    if warp == 0 and lane < 2:
        for other in range(LANES):
            totals[lane] += sums[lane, 0, other]


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
