"""Training runs that end early: those that diverge, and those that are interrupted."""

import numpy as np

from fastdigits.errors import UserError
from fastdigits.nn.network import Network
from fastdigits.storage.history import Epoch
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


def check_finite(network: Network, epoch: Epoch) -> None:
    """Check the losses of an epoch and the weights after it.

    Raises
    ------
    TrainingFailed
        If one of them is NaN or infinite.
    """
    if not np.isfinite([epoch.train_loss, epoch.validation_loss or 0.0]).all() or not is_finite(network.weights()):
        raise TrainingFailed(f"The loss or a weight is not finite after epoch {epoch.epoch}; lower --lr.")


def is_finite(weights: dict[str, np.ndarray]) -> bool:
    """Return whether all weights are finite."""
    return all(np.isfinite(value).all() for value in weights.values())
