"""The numbers of a training step, one after the other."""


def next_step(plan, rates, taken, epoch, start, step, rate):
    """Take the next row of a plan; see reference.next_step."""
    row, last = taken[0], len(plan) - 1
    taken[0] = row + 1
    row = row if row < last else last
    epoch[0], start[0], step[0] = plan[row, 0], plan[row, 1], plan[row, 2]
    rate[0] = rates[row]
