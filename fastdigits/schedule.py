"""Learning rates as pure functions of the step."""

from collections.abc import Callable

WARM_UP = 0.15


def constant(step: int, steps: int) -> float:
    """1 at every step."""
    return 1.0


def one_cycle(step: int, steps: int) -> float:
    """Up in a straight line over the first 15 % of the steps, then down in a straight line to 0.

    After Smith and Topin (2018), Super-convergence: very fast training of neural networks using large learning rates.
    """
    position = (step + 1) / (steps + 1)
    return min(position / WARM_UP, (1 - position) / (1 - WARM_UP))


SCHEDULES: dict[str, Callable[[int, int], float]] = {"constant": constant, "one-cycle": one_cycle}
