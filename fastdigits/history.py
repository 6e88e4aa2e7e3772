"""What happened, epoch by epoch."""

from dataclasses import asdict, dataclass

# What differs between two runs that are otherwise the same to the bit
TIMES = ("seconds", "images_per_second")


@dataclass(frozen=True)
class Epoch:
    """One pass over the training images; its training figures are means while the network was learning."""

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    seconds: float | None = None
    images_per_second: float | None = None

    def figures(self) -> dict[str, float | None]:
        """All but the times: what the weights file keeps, so that the same seed gives the same bytes."""
        return {name: value for name, value in asdict(self).items() if name not in TIMES}
