"""Runs that learn nothing."""

from collections.abc import Sequence

import numpy as np

from fastdigits.errors import UserError
from fastdigits.storage.history import Epoch

PATIENCE = 3  # epochs at the end of a training; its beginning tells little, for some networks begin to learn late


class TrainingFailed(UserError):
    """A training that came to nothing, or several; another seed may do better."""

    def __init__(self, reason: str, trainings: int = 1):
        super().__init__(reason)
        self.trainings = trainings


def chance_accuracy(labels: np.ndarray) -> float:
    """The highest accuracy that luck explains: always naming the most frequent class, and three standard deviations.

    Parameters
    ----------
    labels : uint8 (N,)
    """
    share = np.bincount(labels).max() / len(labels)
    return float(share + 3 * np.sqrt(share * (1 - share) / len(labels)))


def check_above_chance(history: Sequence[Epoch], chance: float) -> None:
    """Look at the training accuracies of the last epochs of a training.

    Raises
    ------
    TrainingFailed
        If there are PATIENCE of them, and none is above `luck`.
    """
    last = [epoch.train_accuracy for epoch in history[-PATIENCE:]]
    if len(last) == PATIENCE and max(last) <= chance:
        raise TrainingFailed(
            f"The accuracy of the last {PATIENCE} epochs ({last[-1]:.1%} in epoch {history[-1].epoch}) is that of "
            "chance; lower --lr, or try other seeds with --restart-dead."
        )
