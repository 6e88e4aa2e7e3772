"""Detect training runs that failed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from fastdigits.errors import NotFiniteError, UserError
from fastdigits.nn.network import Network
from fastdigits.storage.history import Epoch

PATIENCE = 3  # number of last epochs to check; in the first epochs some networks are no better than chance


class TrainingFailed(UserError):
    """Raised if training diverges or does no better than chance; `runs` is the number of failed runs."""

    def __init__(self, reason: str, runs: int = 1):
        super().__init__(reason)
        self.runs = runs


def check_finite(network: Network, epoch: Epoch) -> None:
    """Check the loss of an epoch and the weights after it.

    Raises
    ------
    TrainingFailed
        If one of them is NaN or infinite.
    """
    if not np.isfinite(epoch.train_loss) or not all(np.isfinite(value).all() for value in network.weights().values()):
        raise TrainingFailed(f"The loss or a weight is not finite after epoch {epoch.epoch}; lower --lr.")


@contextmanager
def overflow_fails() -> Iterator[None]:
    """Raise TrainingFailed if an evaluation in the block overflows: finite weights may be too large to compute with."""
    try:
        yield
    except NotFiniteError as error:
        raise TrainingFailed("The weights are so large that the network computes infinity; lower --lr.") from error


def chance_accuracy(labels: np.ndarray) -> float:
    """Return the highest accuracy that can be explained by chance.

    It is the accuracy of always predicting the most frequent class, plus three standard deviations.

    Parameters
    ----------
    labels : uint8 (N,)
    """
    share = np.bincount(labels).max() / len(labels)
    return float(share + 3 * np.sqrt(share * (1 - share) / len(labels)))


def check_above_chance(history: Sequence[Epoch], chance: float) -> None:
    """Check that the training accuracy of one of the last epochs is above chance.

    Raises
    ------
    TrainingFailed
        If there are at least PATIENCE epochs and none of the last PATIENCE is above `chance`.
    """
    last = [epoch.train_accuracy for epoch in history[-PATIENCE:]]
    if len(last) == PATIENCE and max(last) <= chance:
        raise TrainingFailed(
            f"The accuracy of the last {PATIENCE} epochs ({last[-1]:.1%} in epoch {history[-1].epoch}) is no better "
            "than chance; lower --lr, or try other seeds with --restart-dead."
        )
