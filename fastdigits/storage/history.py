"""Training history: the metrics of every epoch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from fastdigits.errors import UserError, setting

# Fields that differ between runs even if all results are the same bits
TIMING_FIELDS = ("seconds", "images_per_second")


@dataclass(frozen=True)
class Epoch:
    """Metrics of one pass over the training images.

    Attributes
    ----------
    epoch : int
        Number of the epoch, from 1 on.
    train_loss, train_accuracy : float
        Means over the epoch's images, computed during the epoch while the weights change.
    validation_loss, validation_accuracy : float or None
        Computed after the epoch; None without validation images.
    learning_rate : float or None
        At the last step; None in files of early versions.
    seconds, images_per_second : float or None
        None if read from a weights file.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    learning_rate: float | None = None
    seconds: float | None = None
    images_per_second: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """Return all fields except the times: in weights files the same seed must give the same bytes."""
        return {name: value for name, value in asdict(self).items() if name not in TIMING_FIELDS}

    @property
    def rank(self) -> tuple[float, float]:
        """Return (validation accuracy, -validation loss): the larger, the better the epoch.

        Raises
        ------
        UserError
            If the epoch was not validated.
        """
        if self.validation_accuracy is None or self.validation_loss is None:
            raise UserError(f"There are no validation images; set some aside with {setting('validation')}.")
        return self.validation_accuracy, -self.validation_loss


@dataclass(frozen=True)
class RunGroup:
    """Histories of runs that differ only in their seed or in their validation fold."""

    label: str
    runs: Sequence[Sequence[Epoch]]


def best_epoch(history: Sequence[Epoch]) -> Epoch:
    """Return the first of the epochs with the highest rank."""
    return max(history, key=lambda epoch: epoch.rank)


def epochs_since_best(history: Sequence[Epoch]) -> int:
    """Return the number of epochs after the best one."""
    return history[-1].epoch - best_epoch(history).epoch if history else 0
