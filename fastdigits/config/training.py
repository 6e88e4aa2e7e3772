"""Every default, once."""

from dataclasses import dataclass

from fastdigits.config.schedules import DECAYING, SCHEDULES
from fastdigits.data.augmentation import Effects, parse_effects
from fastdigits.data.preprocessing import Preparation
from fastdigits.errors import UserError

MODEL = "cnn"
MAX_FLOAT32 = 3.4e38  # that float32 holds
EVALUATION_BATCH = 256
# The most images that go through a network together in training; the gradients of more are added up part by part.
MAX_MICRO_BATCH = 1024

# The operation that computes each loss
LOSSES = {"cross-entropy": "softmax_cross_entropy", "mse": "mean_squared_error"}


@dataclass(frozen=True)
class OptimizerDefaults:
    """What an optimiser remembers, in arrays of the parameters' size, and the settings it usually takes."""

    state_arrays: int
    lr: float
    weight_decay: float = 0.0


OPTIMIZERS = {
    "sgd": OptimizerDefaults(0, lr=0.1),
    "momentum": OptimizerDefaults(1, lr=0.05),
    "nesterov": OptimizerDefaults(1, lr=0.05),
    "adam": OptimizerDefaults(2, lr=0.004),
    "adamw": OptimizerDefaults(2, lr=0.006, weight_decay=0.1),
}


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained; stored in the weights file.

    `lr` and `weight_decay` None are the optimiser's usual ones; `validation` None is a twelfth of the training images.
    `batch_size` None is all training images: plain gradient descent, one step in every epoch. `lr_decay` and
    `decay_every` None are those of fastdigits.config.schedules. `clip_norm`, `ema` and `early_stop` None do nothing.
    `keep_best` ends with the weights of the epoch with the best validation; None does so where `early_stop` is given.
    `pad`, `contrast`, `gamma` and `binarize` are those of Preparation; without `normalise` pixels stay at
    0 to 1, with it they get mean 0 and standard deviation 1. `augment` is what parse_effects reads.
    `fused` lets chains of layers run as one operation where there is one; it changes the last bits of the results.
    `exact` keeps convolutions to the very products of their definition; Winograd's method computes others.
    `graph` lets a GPU record a step and replay it; the bits stay the same.

    Raises
    ------
    UserError
        If a value is none that training can work with.
    """

    epochs: int = 10
    batch_size: int | None = 128
    optimizer: str = "adamw"
    lr: float | None = None
    momentum: float = 0.9
    beta1: float = 0.9
    beta2: float = 0.99
    weight_decay: float | None = None
    schedule: str = "one-cycle"
    lr_decay: float | None = None
    decay_every: int | None = None
    warmup: float = 0.0
    clip_norm: float | None = None
    ema: float | None = None
    early_stop: int | None = None
    keep_best: bool | None = None
    loss: str = "cross-entropy"
    label_smoothing: float = 0.0
    validation: int | None = None
    pad: int = 0
    contrast: float = 1.0
    gamma: float = 1.0
    binarize: float | None = None
    normalise: bool = True
    augment: str = ""
    seed: int = 0
    fused: bool = True
    exact: bool = False
    graph: bool = True

    def __post_init__(self) -> None:
        limits = {
            "epochs": self.epochs >= 1,
            "batch_size": self.batch_size is None or 1 <= self.batch_size <= 65536,
            "optimizer": self.optimizer in OPTIMIZERS,
            "lr": self.lr is None or 0 < self.lr <= MAX_FLOAT32,
            "momentum": 0 <= self.momentum < 1,
            "beta1": 0 <= self.beta1 < 1,
            "beta2": 0 <= self.beta2 < 1,
            "weight_decay": self.weight_decay is None or 0 <= self.weight_decay <= MAX_FLOAT32,
            "schedule": self.schedule in SCHEDULES,
            "lr_decay": self.lr_decay is None or 0 < self.lr_decay <= MAX_FLOAT32,
            "decay_every": self.decay_every is None or self.decay_every >= 1,
            "warmup": 0 <= self.warmup <= 1,
            "clip_norm": self.clip_norm is None or 0 < self.clip_norm <= MAX_FLOAT32,
            "ema": self.ema is None or 0 <= self.ema < 1,
            "early_stop": self.early_stop is None or self.early_stop >= 1,
            "loss": self.loss in LOSSES,
            "label_smoothing": 0 <= self.label_smoothing < 1,
            "validation": self.validation is None or self.validation >= 0,
            "seed": 0 <= self.seed < 2**63,
        }
        for name, fits in limits.items():
            if not fits:
                raise UserError(f"The setting {name} cannot be {getattr(self, name)!r}; see 'fastdigits train --help'.")
        _ = self.preparation, self.effects  # which check their values
        self._check_schedule()
        if self.watches_validation and self.validation == 0:
            option = self.watches_validation
            raise UserError(f"{option} looks at images that are held out, and none are; give --validation 5000.")

    def _check_schedule(self) -> None:
        if self.schedule not in DECAYING and (self.lr_decay, self.decay_every) != (None, None):
            options, schedules = "--lr-decay and --decay-every", ", ".join(DECAYING)
            raise UserError(f"--schedule {self.schedule} takes no {options}; choose one of {schedules}.")
        if self.schedule != "inverse-time" and self.lr_decay is not None and self.lr_decay > 1:
            raise UserError(f"--schedule {self.schedule} needs a --lr-decay of at most 1, not {self.lr_decay}.")

    @property
    def preparation(self) -> Preparation:
        """What is done to every image."""
        return Preparation(self.pad, self.contrast, self.gamma, self.binarize)

    @property
    def effects(self) -> Effects:
        """What is done to the training images, anew in every epoch."""
        return parse_effects(self.augment)

    @property
    def keeps_best(self) -> bool:
        """Whether training ends with the weights of its best epoch."""
        return self.early_stop is not None if self.keep_best is None else self.keep_best

    @property
    def watches_validation(self) -> str:
        """The option that needs images to validate on; "" if none does."""
        options = {
            "--schedule plateau": self.schedule == "plateau",
            "--early-stop": self.early_stop is not None,
            "--keep-best": self.keeps_best,
        }
        return next((option for option, chosen in options.items() if chosen), "")
