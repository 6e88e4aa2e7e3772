"""Detect trainings that do not learn."""

from collections.abc import Sequence

import numpy as np

from fastdigits.errors import UserError
from fastdigits.storage.history import Epoch

PATIENCE = 3  # last epochs that are checked; earlier ones say little, since some networks need a few epochs to start


class TrainingFailed(UserError):
    """One training or several did not learn; another seed may succeed."""

    def __init__(self, reason: str, trainings: int = 1):
        super().__init__(reason)
        self.trainings = trainings


def chance_accuracy(labels: np.ndarray) -> float:
    """Return the highest accuracy that chance explains.

    It is the accuracy of always predicting the most frequent class, plus three standard deviations.

    Parameters
    ----------
    labels : uint8 (N,)
    """
    share = np.bincount(labels).max() / len(labels)
    return float(share + 3 * np.sqrt(share * (1 - share) / len(labels)))


def check_above_chance(history: Sequence[Epoch], chance: float) -> None:
    """Check the training accuracies of the last epochs.

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
