"""TrainingStep rates as pure functions of the step, and of the validation so far for the one that looks at it.

Every schedule gives a share of the highest learning rate. A warm-up, which goes with any, multiplies it:
rate = lr min(1, (step + 1) / (warmup steps)) schedule(step)
"""

from collections.abc import Callable, Sequence
from math import cos, pi
from typing import Any, NamedTuple

Rank = tuple[float, float]  # of an epoch: validation accuracy and minus the validation loss; larger is better
RISE = 0.15
LR_DECAY, DECAY_EVERY = 0.5, 1


class Progress(NamedTuple):
    """What a schedule may look at: a step from 0 on, of so many, and the ranks of the epochs that are over.

    `decay` and `every` are the options --lr-decay and --decay-every, the latter in epochs.
    """

    step: int
    steps: int
    epoch_steps: int
    decay: float = LR_DECAY
    every: int = DECAY_EVERY
    ranks: Sequence[Rank] = ()

    @property
    def periods(self) -> float:
        """How many times `every` epochs have gone by."""
        return self.step / (self.epoch_steps * self.every)


def constant(at: Progress) -> float:
    """1 at every step."""
    return 1.0


def step(at: Progress) -> float:
    """decay^floor(epochs / every): a staircase."""
    return at.decay ** int(at.periods)


def exponential(at: Progress) -> float:
    """decay^(epochs / every): what `step` is on the whole, without its stairs."""
    return at.decay**at.periods


def inverse_time(at: Progress) -> float:
    """1 / (1 + decay epochs / every).

    After Robbins and Monro (1951), A stochastic approximation method, whose condition it meets.
    """
    return 1 / (1 + at.decay * at.periods)


def cosine(at: Progress) -> float:
    """1/2 (1 + cos(pi step / steps)): half a wave from 1 down to 0.

    After Loshchilov and Hutter (2017), SGDR: stochastic gradient descent with warm restarts, equation 5, without them.
    """
    return (1 + cos(pi * at.step / at.steps)) / 2


def one_cycle(at: Progress) -> float:
    """Up in a straight line over the first 15 % of the steps, then down in a straight line to 0.

    After Smith and Topin (2018), Super-convergence: very fast training of neural networks using large learning rates.
    """
    position = (at.step + 1) / (at.steps + 1)
    return min(position / RISE, (1 - position) / (1 - RISE))


def plateau(at: Progress) -> float:
    """decay^stalls, where a stall is `every` epochs in a row without a better validation."""
    return at.decay ** stalls(at.ranks, at.every)


def stalls(ranks: Sequence[Rank], every: int) -> int:
    """Count how many times `every` epochs in a row had no better validation than all epochs before them."""
    count, waiting, best = 0, 0, None
    for rank in ranks:
        waiting += 1
        if best is None or rank > best:
            best, waiting = rank, 0
        if waiting == every:
            count, waiting = count + 1, 0
    return count


SCHEDULES: dict[str, Callable[[Progress], float]] = {
    "constant": constant,
    "step": step,
    "inverse-time": inverse_time,
    "exponential": exponential,
    "cosine": cosine,
    "one-cycle": one_cycle,
    "plateau": plateau,
}
DECAYING = ("step", "inverse-time", "exponential", "plateau")  # they take --lr-decay and --decay-every


def warm_up(at: Progress, warmup: float) -> float:
    """Up in a straight line, to 1 at the last of the first `warmup` (a share) of all steps.

    After Goyal et al. (2017), Accurate, large minibatch SGD: training ImageNet in 1 hour, section 2.2.
    """
    return min(1.0, (at.step + 1) / max(1.0, warmup * at.steps))


def lr_factor(config: Any, step: int, epoch_steps: int, ranks: Sequence[Rank] = ()) -> float:
    """The share of the learning rate at a step, counted from 0 over all epochs, under a TrainConfig."""
    decay = LR_DECAY if config.lr_decay is None else config.lr_decay
    at = Progress(step, config.epochs * epoch_steps, epoch_steps, decay, config.decay_every or DECAY_EVERY, ranks)
    return warm_up(at, config.warmup) * SCHEDULES[config.schedule](at)
