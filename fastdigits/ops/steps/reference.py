"""Definition of how a training step gets its numbers."""


def next_step(plan, rates, taken, epoch, start, step, rate):
    """Take row r = min(taken[0], S - 1) of a plan, and add 1 to taken[0].

    epoch[0], start[0], step[0] = plan[r]
    rate[0] = rates[r]

    Parameters
    ----------
    plan : int64 (S, 3)
        For each of S steps: its epoch, the position of its first image in the order of the epoch, and its number.
    rates : float32 (S,)
        The learning rate of each step.
    taken : int64 (1,), changed
        Number of rows that earlier steps have taken.
    epoch, start, step : int64 (1,), filled
    rate : float32 (1,), filled

    Notes
    -----
    A recorded step that begins with this operation can be replayed without any number from the host.
    """
    row = min(taken[0], len(plan) - 1)
    epoch[0], start[0], step[0] = plan[row]
    rate[0] = rates[row]
    taken[0] += 1
