"""What happened, epoch by epoch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Epoch:
    """One pass over the training images; its training figures are means while the network was learning."""

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    seconds: float
    images_per_second: float
