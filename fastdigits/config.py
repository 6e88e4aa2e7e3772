"""Every default, once."""

from dataclasses import dataclass
from math import inf

from fastdigits.errors import UserError
from fastdigits.schedule import SCHEDULES

MODEL = "cnn"
EVALUATION_BATCH = 256

# The operation that computes each loss
LOSSES = {"cross-entropy": "softmax_cross_entropy", "mse": "mean_squared_error"}


@dataclass(frozen=True)
class Usual:
    """What an optimiser remembers, in arrays of the parameters' size, and the settings it usually takes."""

    memories: int
    lr: float
    weight_decay: float = 0.0


OPTIMIZERS = {
    "sgd": Usual(0, lr=0.1),
    "momentum": Usual(1, lr=0.05),
    "nesterov": Usual(1, lr=0.05),
    "adam": Usual(2, lr=0.004),
    "adamw": Usual(2, lr=0.006, weight_decay=0.1),
}


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained; stored in the weights file.

    `lr` and `weight_decay` None are the optimiser's usual ones; `validation` None is a twelfth of the training images.
    `fused` lets chains of layers run as one operation where there is one; it changes the last bits of the results.
    `exact` keeps convolutions to the very products of their definition; Winograd's method computes others.

    Raises
    ------
    UserError
        If a value is none that training can work with.
    """

    epochs: int = 10
    batch_size: int = 128
    optimizer: str = "adamw"
    lr: float | None = None
    momentum: float = 0.9
    beta1: float = 0.9
    beta2: float = 0.99
    weight_decay: float | None = None
    schedule: str = "one-cycle"
    loss: str = "cross-entropy"
    label_smoothing: float = 0.0
    validation: int | None = None
    seed: int = 0
    fused: bool = True
    exact: bool = False

    def __post_init__(self) -> None:
        limits = {
            "epochs": self.epochs >= 1,
            "batch_size": 1 <= self.batch_size <= 65536,
            "optimizer": self.optimizer in OPTIMIZERS,
            "lr": self.lr is None or 0 < self.lr < inf,
            "momentum": 0 <= self.momentum < 1,
            "beta1": 0 <= self.beta1 < 1,
            "beta2": 0 <= self.beta2 < 1,
            "weight_decay": self.weight_decay is None or 0 <= self.weight_decay < inf,
            "schedule": self.schedule in SCHEDULES,
            "loss": self.loss in LOSSES,
            "label_smoothing": 0 <= self.label_smoothing < 1,
            "validation": self.validation is None or self.validation >= 0,
            "seed": 0 <= self.seed < 2**63,
        }
        for name, fits in limits.items():
            if not fits:
                raise UserError(f"The setting {name} cannot be {getattr(self, name)!r}; see 'fastdigits train --help'.")
