"""Layers, losses, optimizers, schedules, augmentations and networks from outside of the package.

Derive a layer from `Layer` or `Activation`, and describe the others by an object of this module. `register` makes them
known by name in this process: to the settings of `Sequential.fit`, to weights files and to networks in TOML files. What
they compute is an `Operation`: a definition in NumPy and, for speed, a kernel.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from fastdigits.config.schedules import SCHEDULES, Progress
from fastdigits.config.training import LOSSES, OPTIMIZERS, OptimizerDefaults
from fastdigits.data.augmentation import EFFECTS, OWN, Augmentation
from fastdigits.errors import UserError
from fastdigits.models import MODELS
from fastdigits.nn import registry
from fastdigits.nn.layers import Activation, Layer, TrainingStep, vectors
from fastdigits.nn.parameter import Parameter
from fastdigits.ops.custom import Operation

__all__ = [
    "Activation",
    "Augmentation",
    "Layer",
    "Loss",
    "Model",
    "Operation",
    "Optimizer",
    "Parameter",
    "Progress",
    "Schedule",
    "TrainingStep",
    "register",
    "vectors",
]


@dataclass(frozen=True)
class Loss:
    """A loss.

    Parameters
    ----------
    name : str
        In the setting `loss`.
    operation : Operation
        Takes `scores, targets, count, smoothing, loss, dscores`, as `softmax_cross_entropy` in
        fastdigits/ops/loss/reference.py does, and fills the last two. The index of its kernel is a block of images.
    """

    name: str
    operation: Operation


@dataclass(frozen=True)
class Optimizer:
    """An optimizer.

    Parameters
    ----------
    name : str
        In the setting `optimizer`.
    step : Operation
        Takes `parameter`, `gradient`, the state arrays and the settings, in this order, and changes `parameter` and
        the state arrays, which are zero at the start. The arrays are (V, L), and the index of its kernel is a vector.
    state_arrays : tuple of str
    settings : tuple of str
        Some of `rate`, an array of one element with the learning rate, `step`, an array of one element with the number
        of the step, and the numbers `momentum`, `beta1`, `beta2`, `epsilon` and `weight_decay`.
    lr, weight_decay : float
        Defaults of the settings.
    """

    name: str
    step: Operation
    state_arrays: tuple[str, ...] = ()
    settings: tuple[str, ...] = ("rate",)
    lr: float = 0.01
    weight_decay: float = 0.0


@dataclass(frozen=True)
class Schedule:
    """A learning rate schedule.

    Parameters
    ----------
    name : str
        In the setting `schedule`.
    function : function
        Takes a `Progress`, such as step 3 of 100 steps, and returns the factor of the learning rate.
    """

    name: str
    function: Callable[[Progress], float]


@dataclass(frozen=True)
class Model:
    """A network by name.

    Parameters
    ----------
    name : str
    function : function
        Takes the number of classes and returns a list of layers.
    """

    name: str
    function: Callable[..., list[Layer]]


def register(thing: Any, name: str | None = None) -> Any:
    """Make a layer class, Loss, Optimizer, Schedule, Augmentation or Model known by name in this process.

    Layers in the list of a `Sequential` are registered by it.

    Parameters
    ----------
    thing : subclass of Layer, or an object of this module
        One that is registered later replaces one of the same name.
    name : str, optional
        By default that of the class or the object.

    Returns
    -------
    The same thing, so that `register` can decorate a class.

    Raises
    ------
    UserError
        If it is something else, or the package has one of this name.

    Examples
    --------
    >>> from fastdigits.extend import Schedule, register
    >>> schedule = register(Schedule("halving", lambda at: 0.5 ** (at.step // at.epoch_steps)))
    """
    if isinstance(thing, type) and issubclass(thing, Layer):
        registry.register(thing, name)
        return thing
    if not isinstance(thing, Loss | Optimizer | Schedule | Augmentation | Model):
        raise UserError(f"register takes a layer class or an object of fastdigits.extend, not {thing!r}.")
    named = thing if name is None else replace(thing, name=name)
    table, value = _entry(named)
    kind, taken = type(named).__name__, EFFECTS if isinstance(named, Augmentation) else table
    if named.name in taken and (kind, named.name) not in _REGISTERED:
        raise UserError(f"fastdigits has the {kind.lower()} {named.name} already; give yours another name.")
    _REGISTERED.add((kind, named.name))
    table[named.name] = value
    return thing


_REGISTERED: set[tuple[str, str]] = set()


def _entry(thing: Loss | Optimizer | Schedule | Augmentation | Model) -> tuple[dict[str, Any], Any]:
    """Return the table that an object belongs to, and its entry there."""
    if isinstance(thing, Loss):
        return LOSSES, thing.operation
    if isinstance(thing, Optimizer):
        return OPTIMIZERS, OptimizerDefaults(
            thing.state_arrays, thing.settings, thing.lr, thing.weight_decay, thing.step
        )
    if isinstance(thing, Schedule):
        return SCHEDULES, thing.function
    if isinstance(thing, Augmentation):
        return OWN, thing
    return MODELS, thing.function
