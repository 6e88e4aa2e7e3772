"""The loss of connectionist temporal classification for one block of images, with one image in each lane."""

from fastdigits.ops.ctc import IMPOSSIBLE
from fastdigits.ops.lanes import load, maximum, select, splat, store
from fastdigits.ops.lanes.math import exp, log

POSSIBLE = IMPOSSIBLE / 2  # log-probabilities are above it
INFINITY = float("inf")


def ctc_loss_block(scores, labels, steps, inv_count, reached, remaining, loss, dscores, b):
    """Fill reached, remaining, loss and dscores of block b, with inv_count = 1 / count."""
    _log_softmax(scores, dscores, b)
    _fill_reached(dscores, labels, steps, reached, b)
    _fill_remaining(dscores, labels, steps, remaining, b)
    total = _log_total(dscores, labels, remaining, b)
    filled = load(steps, (b,)) > splat(0.0)
    lost = select(splat(POSSIBLE) > total, splat(INFINITY), splat(0.0) - total)
    store(loss, (b,), select(filled, lost, splat(0.0)))
    _to_gradient(dscores, labels, steps, total, inv_count, reached, remaining, b)


def _log_softmax(scores, log_p, b):
    """Fill the log-probabilities of all classes at all steps."""
    B, K, T, L = scores.shape
    for t in range(T):
        top, total = load(scores, (b, 0, t)), splat(0.0)
        for k in range(1, K):
            top = maximum(load(scores, (b, k, t)), top)
        for k in range(K):
            total = total + exp(load(scores, (b, k, t)) - top)
        log_total = log(total)
        for k in range(K):
            store(log_p, (b, k, t), load(scores, (b, k, t)) - top - log_total)


def _fill_reached(log_p, labels, steps, reached, b):
    """Go from the first step to the last: a state is reached from itself, the one before, or the one before that."""
    B, T, M, L = reached.shape
    for t in range(T):
        running = load(steps, (b,)) > splat(t)
        for s in range(M):
            stay, move, skip = splat(IMPOSSIBLE), splat(IMPOSSIBLE), splat(IMPOSSIBLE)
            if t == 0:
                stay = splat(0.0 if s < 2 else IMPOSSIBLE)
            else:
                stay = load(reached, (b, t - 1, s))
                if s > 0:
                    move = load(reached, (b, t - 1, s - 1))
                if s > 2 and s % 2 == 1:
                    skip = _unless_equal(labels, b, s, load(reached, (b, t - 1, s - 2)))
            log_sum = _log_sum(stay, move, skip) + _log_p_of_state(log_p, labels, b, t, s)
            inside = select(running, _if_inside(labels, b, s, log_sum), splat(IMPOSSIBLE))
            store(reached, (b, t, s), inside)


def _fill_remaining(log_p, labels, steps, remaining, b):
    """Go from the last step to the first: a state is left to itself, the next one, or the one after that."""
    B, T, M, L = remaining.shape
    count = _count_labels(labels, b)
    last = count + count  # the state of the final blank
    for t in range(T - 1, -1, -1):
        at_end = load(steps, (b,)) == splat(t + 1)
        for s in range(M):
            stay, move, skip = splat(IMPOSSIBLE), splat(IMPOSSIBLE), splat(IMPOSSIBLE)
            if t + 1 < T:
                stay = load(remaining, (b, t + 1, s)) + _log_p_of_state(log_p, labels, b, t + 1, s)
                if s + 1 < M:
                    move = load(remaining, (b, t + 1, s + 1)) + _log_p_of_state(log_p, labels, b, t + 1, s + 1)
                if s + 2 < M and s % 2 == 1:
                    skip = load(remaining, (b, t + 1, s + 2)) + _log_p_of_state(log_p, labels, b, t + 1, s + 2)
                    skip = _unless_equal(labels, b, s + 2, skip)
            final = select(last == splat(s), splat(0.0), splat(IMPOSSIBLE))
            final = select(last == splat(s + 1), splat(0.0), final)
            store(remaining, (b, t, s), select(at_end, final, _log_sum(stay, move, skip)))


def _log_total(log_p, labels, remaining, b):
    """Return the log of the sum over all paths, which begin with a blank or with the first label."""
    B, T, M, L = remaining.shape
    blank = load(remaining, (b, 0, 0)) + _log_p_of_state(log_p, labels, b, 0, 0)
    label = splat(IMPOSSIBLE)
    if M > 1:
        label = load(remaining, (b, 0, 1)) + _log_p_of_state(log_p, labels, b, 0, 1)
    return _log_sum(blank, label, splat(IMPOSSIBLE))


def _to_gradient(dscores, labels, steps, total, inv_count, reached, remaining, b):
    """Replace log-probabilities by the gradient."""
    B, K, T, L = dscores.shape
    _, _, M, _ = reached.shape
    possible = select(splat(POSSIBLE) > total, splat(0.0), splat(inv_count))
    for t in range(T):
        scale = select(load(steps, (b,)) > splat(t), possible, splat(0.0))
        for k in range(K):
            in_class = splat(0.0)
            for s in range(0 if k == K - 1 else 1, M, 2):
                in_state = exp(load(reached, (b, t, s)) + load(remaining, (b, t, s)) - total)
                in_class = in_class + (in_state if k == K - 1 else _if_label(labels, b, s, k, in_state))
            gradient = scale * (exp(load(dscores, (b, k, t))) - in_class)
            store(dscores, (b, k, t), select(scale > splat(0.0), gradient, splat(0.0)))


def _log_p_of_state(log_p, labels, b, t, s):
    """Return the log-probability at step t of the class of state s: the blank, or in each lane its own label."""
    B, K, T, L = log_p.shape
    chosen = load(log_p, (b, K - 1, t))
    if s % 2 == 1:
        label = load(labels, (b, s // 2))
        for k in range(K - 1):
            chosen = select(label == splat(k), load(log_p, (b, k, t)), chosen)
    return chosen


def _count_labels(labels, b):
    """Return the number of labels in each lane."""
    B, S, L = labels.shape
    count = splat(0.0)
    for i in range(S):
        count = count + select(load(labels, (b, i)) >= splat(0.0), splat(1.0), splat(0.0))
    return count


def _if_inside(labels, b, s, v):
    """Return v in the lanes that have state s, else IMPOSSIBLE."""
    if s > 0:
        v = select(load(labels, (b, (s - 1) // 2)) >= splat(0.0), v, splat(IMPOSSIBLE))
    return v


def _if_label(labels, b, s, k, v):
    """Return v in the lanes in which the label of state s is k, else 0."""
    return select(load(labels, (b, s // 2)) == splat(k), v, splat(0.0))


def _unless_equal(labels, b, s, v):
    """Return v in the lanes in which the labels of states s - 2 and s differ, else IMPOSSIBLE."""
    return select(load(labels, (b, s // 2 - 1)) == load(labels, (b, s // 2)), splat(IMPOSSIBLE), v)


def _log_sum(x, y, z):
    """Return log(exp(x) + exp(y) + exp(z))."""
    top = maximum(x, maximum(y, z))
    return top + log(exp(x - top) + exp(y - top) + exp(z - top))
