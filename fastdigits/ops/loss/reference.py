"""The definition of the losses."""

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


def softmax_cross_entropy(scores, targets, count, loss, dscores):
    """Fill each image's cross-entropy of softmax(scores) with its target, and the gradient of their mean.

    loss[b, l] = -log softmax(scores)[b, t, l] with t = targets[b, l]
    dscores[b, k, l] = 1/count (softmax(scores)[b, k, l] - [k = t])
    Both are 0 where t is -1.

    Parameters
    ----------
    scores : float32 (B, K, L)
    targets : float32 (B, L)
        Class numbers 0 .. K - 1, or -1 in empty lanes.
    count : int
        Images in the batch.
    loss : float32 (B, L), filled
    dscores : float32 (B, K, L), filled

    References
    ----------
    Bridle (1990), Probabilistic interpretation of feedforward classification network outputs.
    """
    right = np.arange(scores.shape[1])[:, None] == targets[:, None]
    filled = targets >= 0
    shifted = scores - scores.max(1, keepdims=True)
    log_total = np.log(np.exp(shifted).sum(1))
    loss[...] = np.where(filled, log_total - (shifted * right).sum(1), 0)
    dscores[...] = np.where(filled[:, None], np.exp(shifted - log_total[:, None]) - right, 0) / count


def mean_squared_error(scores, targets, count, loss, dscores):
    """Fill each image's mean squared difference of scores and one-hot target, and the gradient of their mean.

    loss[b, l] = 1/K sum_k (scores[b, k, l] - [k = t])^2 with t = targets[b, l]
    dscores[b, k, l] = 2/(count K) (scores[b, k, l] - [k = t])
    Both are 0 where t is -1.

    Parameters
    ----------
    scores, targets, count, loss, dscores
        As in softmax_cross_entropy.
    """
    K = scores.shape[1]
    right = np.arange(K)[:, None] == targets[:, None]
    difference = np.where(targets[:, None] >= 0, scores - right, 0)
    loss[...] = (difference * difference).mean(1)
    dscores[...] = 2 * difference / (count * K)


def count_hits(scores, targets, hits):
    """Fill hits[b, l] = 1 where the highest score (the first of equal ones) is the target's, else 0.

    Parameters
    ----------
    scores : float32 (B, K, L)
    targets : float32 (B, L)
    hits : float32 (B, L), filled
    """
    hits[...] = scores.argmax(1) == targets
