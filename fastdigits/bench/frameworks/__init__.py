"""Training in other frameworks, one module each: the same network with the same settings, from the same weights.

The module of a framework has TITLE, OPTIMIZERS (by our names), version(), why_unavailable(device),
why_different(config) and Trainer, whose methods are those of the protocol in training.py. The network is the source
code that `fastdigits export` writes for the framework.
"""

from dataclasses import fields
from types import ModuleType

from fastdigits.config.choices import FRAMEWORKS
from fastdigits.config.training import TrainConfig
from fastdigits.errors import UserError, import_with_packages

# Settings that every framework takes, or that only concern our own computation
SAME = (
    *("epochs", "batch_size", "lr", "momentum", "beta1", "beta2", "weight_decay", "lr_decay", "decay_every", "warmup"),
    *("optimizer", "schedule", "label_smoothing", "validation", "seed", "fused", "exact", "graph"),
    *("pad", "contrast", "gamma", "binarize", "ink", "normalise"),
)


def load(name: str, device: str = "cpu") -> ModuleType:
    """Import the module of a framework, and the framework itself.

    Call this before `ops.load`, see `bench.rivals.load`.

    Raises
    ------
    UserError
        If the framework is not installed or cannot use the device, "cpu" or "cuda".
    """
    module = import_with_packages(
        f"fastdigits.bench.frameworks.{name}",
        lambda error: (
            f"Training in {name} needs packages that are not installed ({error}); run 'pip install {FRAMEWORKS[name]}'."
        ),
    )
    if reason := module.why_unavailable(device):
        raise UserError(f"Training in {name} is not possible: {reason}.")
    return module


def check(framework: ModuleType, model: str, config: TrainConfig) -> None:
    """Check that training in a framework can have the same settings.

    Raises
    ------
    UserError
        If it cannot.
    """
    defaults = {one.name: one.default for one in fields(TrainConfig)}
    own = [name for name, value in vars(config).items() if name not in SAME and value != defaults[name]]
    if config.schedule == "plateau":
        own.append("schedule 'plateau'")
    if own:
        raise UserError(
            f"{model} cannot be trained in {framework.TITLE} with the same settings: its {own[0]} exists only here; "
            "leave --against out."
        )
    if config.optimizer not in framework.OPTIMIZERS:
        reason = f"it has no optimizer {config.optimizer}"
    else:
        reason = framework.why_different(config)
    if reason:
        raise UserError(f"{model} cannot be trained in {framework.TITLE} with the same settings: {reason}.")
