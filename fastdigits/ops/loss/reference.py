"""Definitions of the losses and metrics."""

import numpy as np


def softmax(scores, probabilities):
    """Fill probabilities[b, k, l] = exp(scores[b, k, l]) / sum_j exp(scores[b, j, l]).

    Parameters
    ----------
    scores : float32 (B, K, L)
    probabilities : float32 (B, K, L), filled
    """
    powers = np.exp(scores - scores.max(1, keepdims=True))
    probabilities[...] = powers / powers.sum(1, keepdims=True)


def softmax_cross_entropy(scores, targets, count, smoothing, loss, dscores):
    """Fill the cross-entropy of each image, and the gradient of the mean over all images.

    loss[b, l] = -sum_k goal[k] log softmax(scores)[b, k, l]
    dscores[b, k, l] = 1/count (softmax(scores)[b, k, l] - goal[k])
    with goal[k] = (1 - smoothing) [k = t] + smoothing / K and t = targets[b, l]; both are 0 where t is -1.

    Parameters
    ----------
    scores : float32 (B, K, L)
    targets : float32 (B, L)
        Class numbers 0 .. K - 1, or -1 in empty lanes.
    count : int
        Images in the batch.
    smoothing : float
        Fraction of each target that is spread over all classes; 0 for none.
    loss : float32 (B, L), filled
    dscores : float32 (B, K, L), filled

    References
    ----------
    Bridle (1990), Probabilistic interpretation of feedforward classification network outputs;
    Szegedy et al. (2016), Rethinking the inception architecture for computer vision, section 7 (smoothing).
    """
    goal = _goal(scores, targets, smoothing)
    filled = targets >= 0
    shifted = scores - scores.max(1, keepdims=True)
    log_total = np.log(np.exp(shifted).sum(1))
    loss[...] = np.where(filled, log_total - np.where(goal > 0, shifted * goal, 0).sum(1), 0)
    dscores[...] = np.where(filled[:, None], np.exp(shifted - log_total[:, None]) - goal, 0) / count


def mean_squared_error(scores, targets, count, smoothing, loss, dscores):
    """Fill the mean squared error of each image, and the gradient of the mean over all images.

    loss[b, l] = 1/K sum_k (scores[b, k, l] - goal[k])^2
    dscores[b, k, l] = 2/(count K) (scores[b, k, l] - goal[k])
    with goal as in softmax_cross_entropy; both are 0 where the target is -1.

    Parameters
    ----------
    scores, targets, count, smoothing, loss, dscores
        As in softmax_cross_entropy.
    """
    K = scores.shape[1]
    difference = np.where(targets[:, None] >= 0, scores - _goal(scores, targets, smoothing), 0)
    loss[...] = (difference * difference).mean(1)
    dscores[...] = 2 * difference / (count * K)


def weigh_losses(weights, start, offset, loss, dscores):
    """Multiply the loss and the gradient of each image by its weight.

    loss[b, l] *= w    dscores[b, k, l] *= w
    with w = weights[start[0] + offset + b*L + l], or 0 after the last weight

    Parameters
    ----------
    weights : float32 (n,)
        In the order of the epoch.
    start : int64 (1,)
        Index of the step's first image; an array, so that a recorded CUDA graph can read a new value.
    offset : int
        Number of the step's images in earlier batches.
    loss : float32 (B, L), changed
    dscores : float32 (B, K, L), changed
    """
    at = start[0] + offset + np.arange(loss.size).reshape(loss.shape)
    weight = np.where(at < len(weights), weights[np.minimum(at, len(weights) - 1)], 0)
    loss *= weight
    dscores *= weight[:, None]


def accumulate_metrics(scores, targets, loss, hits, totals):
    """Mark the correct predictions of a batch, and add the losses and the correct predictions to the totals.

    hits[b, l] = 1 if the highest score (the first of equal ones, or the first NaN) is that of the target, else 0
    totals[0] += sum_{b,l} loss[b, l]    totals[1] += sum_{b,l} hits[b, l]    each in a fixed order

    Parameters
    ----------
    scores : float32 (B, K, L)
    targets, loss : float32 (B, L)
    hits : float32 (B, L), filled
    totals : float64 (2,), changed
    """
    hits[...] = scores.argmax(1) == targets
    totals += loss.sum(dtype=np.float64), hits.sum(dtype=np.float64)


def _goal(scores, targets, smoothing):
    """Return the target probabilities (B, K, L) with label smoothing."""
    K = scores.shape[1]
    return (1 - smoothing) * (np.arange(K)[:, None] == targets[:, None]) + smoothing / K
