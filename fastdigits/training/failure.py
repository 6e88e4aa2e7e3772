"""Training runs that end early: those that diverge, and those that are interrupted."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from fastdigits.errors import NotFiniteError, UserError, setting
from fastdigits.training.result import TrainingResult


class TrainingFailed(UserError):
    """Raised if training diverges.

    Attributes
    ----------
    result : TrainingResult or None
        The training up to the last finite epoch, whose weights are in the network; None if there is no such epoch.
    runs : int
        Number of failed runs.
    """

    def __init__(self, reason: str, result: TrainingResult | None = None, runs: int = 1):
        super().__init__(reason)
        self.result, self.runs = result, runs


class TrainingInterrupted(KeyboardInterrupt):
    """Raised by `train` instead of KeyboardInterrupt after the first step; `result` is the training so far."""

    def __init__(self, result: TrainingResult):
        super().__init__()
        self.result = result


def check_finite(epoch: int, loss: float, weights: dict[str, np.ndarray] | None = None) -> None:
    """Check a loss after an epoch, and the weights.

    Raises
    ------
    TrainingFailed
        If one of them is NaN or infinite.
    """
    if not np.isfinite(loss) or not are_finite(weights or {}):
        raise TrainingFailed(f"The loss or a weight is not finite after epoch {epoch}; lower {setting('lr')}.")


def are_finite(weights: dict[str, np.ndarray]) -> bool:
    """Return whether all weights are finite."""
    return all(np.isfinite(value).all() for value in weights.values())


@contextmanager
def overflow_fails() -> Iterator[None]:
    """Raise TrainingFailed if an evaluation in the block overflows: finite weights may be too large to compute with."""
    try:
        yield
    except NotFiniteError as error:
        raise TrainingFailed(
            f"The weights are so large that the network computes infinity; lower {setting('lr')}."
        ) from error
