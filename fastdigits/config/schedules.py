"""Learning rate schedules: pure functions of the step and, for `plateau`, of the validation results so far.

A schedule returns the learning rate as a fraction of the highest one. Warm-up multiplies any schedule:
lr_factor = min(1, (step + 1) / (warmup steps)) * schedule(step)
"""

from collections.abc import Callable, Sequence
from math import cos, pi
from typing import Any, NamedTuple

Rank = tuple[float, float]  # of an epoch: (validation accuracy, -validation loss); the larger the better
RISE = 0.15  # fraction of the steps in which `one_cycle` rises
LR_DECAY, DECAY_EVERY = 0.5, 1


class Progress(NamedTuple):
    """The arguments of a schedule.

    Attributes
    ----------
    step, steps, epoch_steps : int
        Number of the current step, from 0 on; number of steps in all epochs; number of steps in one epoch.
    decay, every : float, int
        The options --lr-decay and --decay-every, the latter in epochs.
    ranks : sequence of Rank
        Ranks of the finished epochs.
    """

    step: int
    steps: int
    epoch_steps: int
    decay: float = LR_DECAY
    every: int = DECAY_EVERY
    ranks: Sequence[Rank] = ()

    @property
    def periods(self) -> float:
        """Number of periods of `every` epochs so far, as a fraction."""
        return self.step / (self.epoch_steps * self.every)


def constant(at: Progress) -> float:
    """Return 1 at every step."""
    return 1.0


def step(at: Progress) -> float:
    """Decay in stairs: decay^floor(epochs / every)."""
    return at.decay ** int(at.periods)


def exponential(at: Progress) -> float:
    """Decay smoothly: decay^(epochs / every)."""
    return at.decay**at.periods


def inverse_time(at: Progress) -> float:
    """Decay as 1 / (1 + decay * epochs / every).

    It meets the convergence conditions of Robbins and Monro (1951), A stochastic approximation method.
    """
    return 1 / (1 + at.decay * at.periods)


def cosine(at: Progress) -> float:
    """Fall from 1 to 0 along half a cosine wave: 1/2 (1 + cos(pi step / steps)).

    After Loshchilov and Hutter (2017), SGDR: stochastic gradient descent with warm restarts, equation 5, without
    restarts.
    """
    return (1 + cos(pi * at.step / at.steps)) / 2


def one_cycle(at: Progress) -> float:
    """Rise linearly over the first 15 % of the steps, then fall linearly to 0.

    After Smith and Topin (2018), Super-convergence: very fast training of neural networks using large learning rates.
    """
    position = (at.step + 1) / (at.steps + 1)
    return min(position / RISE, (1 - position) / (1 - RISE))


def plateau(at: Progress) -> float:
    """Decay after every stall: `every` epochs in a row without better validation results."""
    return at.decay ** stalls(at.ranks, at.every)


def stalls(ranks: Sequence[Rank], every: int) -> int:
    """Count the stalls: how many times `every` epochs in a row brought no new best rank."""
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
SPANNING = ("cosine", "one-cycle")  # these depend on the number of all epochs
DECAYING = ("step", "inverse-time", "exponential", "plateau")  # these take --lr-decay and --decay-every


def warm_up(at: Progress, warmup: float) -> float:
    """Rise linearly to 1 over the fraction `warmup` of all steps.

    After Goyal et al. (2017), Accurate, large minibatch SGD: training ImageNet in 1 hour, section 2.2.
    """
    return min(1.0, (at.step + 1) / max(1.0, warmup * at.steps))


def lr_factor(config: Any, step: int, epoch_steps: int, ranks: Sequence[Rank] = ()) -> float:
    """Return the factor of the learning rate for a TrainConfig at a step, counted from 0 over all epochs."""
    decay = LR_DECAY if config.lr_decay is None else config.lr_decay
    at = Progress(step, config.epochs * epoch_steps, epoch_steps, decay, config.decay_every or DECAY_EVERY, ranks)
    return warm_up(at, config.warmup) * SCHEDULES[config.schedule](at)
