"""What happened, epoch by epoch, and what can be told from it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from fastdigits.errors import UserError

# What differs between two runs that are otherwise the same to the bit
TIMING_FIELDS = ("seconds", "images_per_second")


@dataclass(frozen=True)
class Epoch:
    """One pass over the training images; its training figures are means while the network was learning.

    The learning rate is that of its last step; histories that are older than this figure have none.
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
        """All but the times: what the weights file keeps, so that the same seed gives the same bytes."""
        return {name: value for name, value in asdict(self).items() if name not in TIMING_FIELDS}

    @property
    def rank(self) -> tuple[float, float]:
        """The better the validation the larger: by its accuracy, and by its loss where that is equal.

        Raises
        ------
        UserError
            If there was none.
        """
        if self.validation_accuracy is None or self.validation_loss is None:
            raise UserError("There are no images to validate on; set some aside with --validation.")
        return self.validation_accuracy, -self.validation_loss


@dataclass(frozen=True)
class RunGroup:
    """Trainings that differ in nothing but chance: in their seeds, or in the fold that each is validated on."""

    label: str
    runs: Sequence[Sequence[Epoch]]


def best_epoch(history: Sequence[Epoch]) -> Epoch:
    """The first epoch that no other's validation is better than."""
    return max(history, key=lambda epoch: epoch.rank)


def epochs_since_best(history: Sequence[Epoch]) -> int:
    """How many epochs went by since the best one."""
    return history[-1].epoch - best_epoch(history).epoch if history else 0
