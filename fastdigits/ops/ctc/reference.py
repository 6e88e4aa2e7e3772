"""Definition of the loss of connectionist temporal classification."""

import numpy as np

from fastdigits.ops.ctc import IMPOSSIBLE


def ctc_loss(scores, labels, steps, count, reached, remaining, loss, dscores):
    """Fill the loss of each image, and the gradient of the mean over all images.

    p(t, k) = softmax(scores[b, :, t, l])[k]
    loss[b, l] = -log sum_paths prod_t p(t, path[t]), over the paths of steps[b, l] steps that give the labels
    dscores[b, k, t, l] = 1/count (p(t, k) - probability that a path that gives the labels is in class k at step t)

    If no path gives the labels, because they and the blanks between equal ones need more steps, the loss is infinite
    and the gradient 0. Both are 0 in empty lanes, and the gradient is 0 from step `steps` on.

    Parameters
    ----------
    scores : float32 (B, K, T, L)
        The last class is the blank.
    labels : float32 (B, S, L)
        Classes 0 .. K - 2, then -1 up to the end.
    steps : float32 (B, L)
        Time steps of each image, up to T; 0 or -1 in empty lanes.
    count : int
        Images in the batch.
    reached : float32 (B, T, 2 S + 1, L), filled
        Log of the probability of the paths up to step t that end in a state of the labels and give those before it.
        States beyond the labels and steps beyond the last are IMPOSSIBLE, which stands for log(0).
    remaining : float32 (B, T, 2 S + 1, L), filled
        Log of the probability that paths in a state at step t give the other labels after it; IMPOSSIBLE for log(0),
        in states beyond the labels and from step `steps` on.
    loss : float32 (B, L), filled
    dscores : float32 (B, K, T, L), filled
    """
    B, K, T, L = scores.shape
    shifted = scores - scores.max(1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    loss[...], dscores[...], reached[...], remaining[...] = 0, 0, IMPOSSIBLE, IMPOSSIBLE
    for b, l in np.ndindex(B, L):
        N = int(steps[b, l])
        if N > 0:
            classes = _classes_of_states(labels[b, labels[b, :, l] >= 0, l].astype(int), blank=K - 1)
            part = b, slice(N), slice(len(classes)), l
            total = _sum_over_paths(log_p[b, :, :N, l], classes, reached[part], remaining[part])
            loss[b, l] = np.inf if total == IMPOSSIBLE else -total
            if total > IMPOSSIBLE:
                in_state = np.exp(reached[part] + remaining[part] - total)
                in_class = in_state @ (classes[:, None] == np.arange(K))
                dscores[b, :, :N, l] = (np.exp(log_p[b, :, :N, l]) - in_class.T) / count


def _classes_of_states(labels, blank):
    """Return the classes of the states: the labels with blanks around them, int (2 n + 1,)."""
    classes = np.full(2 * len(labels) + 1, blank)
    classes[1::2] = labels
    return classes


def _sum_over_paths(log_p, classes, reached, remaining):
    """Fill reached and remaining (T, M) of one image with M states; return the log of the sum over all paths."""
    K, T = log_p.shape
    M = len(classes)
    ahead = np.arange(M) - np.arange(M)[:, None]
    skips_blank = (ahead == 2) & (classes != K - 1) & (classes != classes[:, None])
    follows = (ahead == 0) | (ahead == 1) | skips_blank  # [s, r]: a path may be in state r one step after state s
    reached[0, :2] = log_p[classes[:2], 0]
    for t in range(1, T):
        reached[t] = log_p[classes, t] + _log_sum(reached[t - 1][:, None], follows, axis=0)
    remaining[-1, -2:] = 0
    for t in range(T - 2, -1, -1):
        remaining[t] = _log_sum(log_p[classes, t + 1] + remaining[t + 1], follows, axis=1)
    return _log_sum(reached[-1, -2:], True, axis=0)


def _log_sum(logs, chosen, axis):
    """Return log(sum(exp(logs))) over the chosen ones along an axis, at least IMPOSSIBLE."""
    chosen = np.where(chosen, logs, -np.inf)
    return np.maximum(np.logaddexp.reduce(chosen, axis=axis), IMPOSSIBLE)
