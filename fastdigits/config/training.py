"""Training settings and their defaults."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from numbers import Integral, Real
from reprlib import repr as shown
from typing import get_args

from fastdigits.config.schedules import DECAYING, SCHEDULES
from fastdigits.data.augmentation import Effects, parse_effects
from fastdigits.data.preprocessing import INKS, Preparation
from fastdigits.errors import UserError, bad_setting, setting
from fastdigits.ops.custom import Operation
from fastdigits.ops.interface import Ops

MODEL = "cnn"
MAX_FLOAT32 = 3.4e38
EVALUATION_BATCH = 256
# Maximum number of images in one forward pass when training; the gradients of larger batches are accumulated.
MAX_MICRO_BATCH = 1024

CLASS_WEIGHTS = ("balanced",)
# For each type of a setting: what its values are instances of, and what a message calls them
KINDS: dict[type, tuple[type, str]] = {
    bool: (bool, "True or False"),
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
    str: (str, "a text"),
}
# The operation that computes each loss: its name, or one from outside of the package
LOSSES: dict[str, str | Operation] = {"cross-entropy": "softmax_cross_entropy", "mse": "mean_squared_error"}


def loss_on(ops: Ops, loss: str) -> Callable[..., None]:
    """Return the operation of a loss, a key of LOSSES, on a device."""
    operation = LOSSES[loss]
    return operation.on(ops) if isinstance(operation, Operation) else getattr(ops, operation)


def is_custom_loss(loss: str) -> bool:
    """Return whether a loss, a key of LOSSES, is from outside of the package."""
    return isinstance(LOSSES[loss], Operation)


@dataclass(frozen=True)
class OptimizerDefaults:
    """What the operation of an optimizer takes besides parameters and gradients, and the default settings.

    Attributes
    ----------
    state_arrays : tuple of str
        Arrays of the size of the parameters that it updates.
    settings : tuple of str
        Its other parameters.
    lr, weight_decay : float
    step : Operation, optional
        That of an optimizer from outside of the package. By default it is the operation NAME_step.
    """

    state_arrays: tuple[str, ...]
    settings: tuple[str, ...]
    lr: float
    weight_decay: float = 0.0
    step: Operation | None = None


MOMENTUM = ("rate", "momentum", "weight_decay")
ADAM = ("rate", "step", "beta1", "beta2", "epsilon", "weight_decay")
OPTIMIZERS = {
    "sgd": OptimizerDefaults((), ("rate", "weight_decay"), lr=0.1),
    "momentum": OptimizerDefaults(("velocity",), MOMENTUM, lr=0.05),
    "nesterov": OptimizerDefaults(("velocity",), MOMENTUM, lr=0.05),
    "adam": OptimizerDefaults(("mean", "square"), ADAM, lr=0.004),
    "adamw": OptimizerDefaults(("mean", "square"), ADAM, lr=0.006, weight_decay=0.1),
}


def optimizers_with(setting: str) -> str:
    """Return the names of the optimizers that take a setting, as a phrase such as "adam and adamw"."""
    *names, last = (name for name, defaults in OPTIMIZERS.items() if setting in defaults.settings)
    return f"{', '.join(names)} and {last}" if names else last


@dataclass(frozen=True)
class TrainConfig:
    """Training settings, which weights files store.

    Attributes
    ----------
    epochs : int
    batch_size : int or None
        Number of images in a step; None for all training images, that is one step per epoch.
    optimizer : str
        A key of OPTIMIZERS.
    lr, weight_decay : float or None
        None for the optimizer's defaults.
    momentum : float
        For the optimizers "momentum" and "nesterov".
    beta1, beta2 : float
        For the optimizers "adam" and "adamw".
    schedule : str
        A key of SCHEDULES.
    lr_decay, decay_every : float, int or None
        Factor and period, in epochs, of the schedules in DECAYING; None for the defaults in schedules.py.
    warmup : float
        Fraction of all steps over which the learning rate rises linearly.
    clip_norm : float or None
        Maximum norm of the gradient; None for no clipping.
    ema : float or None
        Decay of the moving average of the weights; None for no averaging.
    early_stop : int or None
        Stop after this many epochs without better validation results; None for no early stopping.
    keep_best : bool or None
        Whether to return to the weights of the best epoch by validation at the end; None for only with `early_stop`.
    loss : str
        A key of LOSSES.
    label_smoothing : float
    class_weight : str or None
        "balanced" to give all classes the same weight in the loss, however many training images they have.
    validation : int or None
        Number of training images to hold out for validation; None for a twelfth of them.
    pad, contrast, gamma, binarize
        See Preparation.
    ink : str or None
        One of INKS, if the ink of the training images is darker or lighter than their background; None to measure it.
    normalise : bool
        Whether to shift and scale pixels to mean 0 and standard deviation 1; otherwise they are from 0 to 1.
    augment : str
        Random changes to training images, see parse_effects.
    warm_start : bool
        Whether training started from the weights and the normalization of a trained network, not from random weights.
    freeze : str
        Names of the layers whose parameters do not change, separated by commas, such as "conv2d_1,batchnorm_1".
    replay : str
        Name of the data set of which some images are trained on next to a few new ones; "" for none.
    seed : int
    fused : bool
        Whether to run chains of layers as one operation; it changes the last bits of the results.
    exact : bool
        Whether to compute convolutions by their definition instead of by Winograd's method.
    graph : bool
        Whether to record a step and replay it; the results are the same bits.

    Raises
    ------
    UserError
        If a value is of the wrong type or out of range.
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
    class_weight: str | None = None
    validation: int | None = None
    pad: int = 0
    contrast: float = 1.0
    gamma: float = 1.0
    binarize: float | None = None
    ink: str | None = None
    normalise: bool = True
    augment: str = ""
    warm_start: bool = False
    freeze: str = ""
    replay: str = ""
    seed: int = 0
    fused: bool = True
    exact: bool = False
    graph: bool = True

    def __post_init__(self) -> None:
        self._check_types()
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
            "class_weight": self.class_weight in (None, *CLASS_WEIGHTS),
            "validation": self.validation is None or self.validation >= 0,
            "ink": self.ink in (None, *INKS),
            "seed": 0 <= self.seed < 2**63,
        }
        for name, fits in limits.items():
            if not fits:
                raise bad_setting(name, getattr(self, name))
        _ = self.preparation, self.effects  # checks their values
        self._check_schedule()
        if self.watches_validation and self.validation == 0:
            given = setting("validation", 5000)
            raise UserError(f"{self.watches_validation} needs validation images; give {given}.")

    def _check_types(self) -> None:
        for field in fields(self):
            value, types = getattr(self, field.name), get_args(field.type) or (field.type,)
            kind, description = KINDS[types[0]]
            if not isinstance(value, kind) and not (value is None and type(None) in types):
                raise UserError(f"The setting {field.name} must be {description}, not {shown(value)}.")

    def _check_schedule(self) -> None:
        chosen = setting("schedule", self.schedule)
        if self.schedule not in DECAYING and (self.lr_decay, self.decay_every) != (None, None):
            names, schedules = f"{setting('lr_decay')} and {setting('decay_every')}", ", ".join(DECAYING)
            raise UserError(f"{chosen} takes no {names}; choose one of {schedules}.")
        if self.schedule != "inverse-time" and self.lr_decay is not None and self.lr_decay > 1:
            decay = setting("lr_decay")
            raise UserError(f"{chosen} needs a {decay} of at most 1, not {shown(self.lr_decay)}.")

    @property
    def preparation(self) -> Preparation:
        """The preparation of images, in training and in inference."""
        return Preparation(self.pad, self.contrast, self.gamma, self.binarize)

    @property
    def effects(self) -> Effects:
        """The random changes to training images, which differ in every epoch."""
        return parse_effects(self.augment)

    @property
    def frozen_layers(self) -> list[str]:
        """The names in `freeze`."""
        return [name.strip() for name in self.freeze.split(",") if name.strip()]

    @property
    def keeps_best(self) -> bool:
        """Whether the network has the weights of the best epoch at the end."""
        return self.early_stop is not None if self.keep_best is None else self.keep_best

    @property
    def watches_validation(self) -> str:
        """The first setting that needs validation images, as users write it; "" if there is none."""
        settings = {
            setting("schedule", "plateau"): self.schedule == "plateau",
            setting("early_stop"): self.early_stop is not None,
            setting("keep_best"): self.keeps_best,
        }
        return next((name for name, chosen in settings.items() if chosen), "")
