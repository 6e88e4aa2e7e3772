"""Augmentation: parse the random changes to training images, such as shift=2,rotate=10,elastic=0.6.

fastdigits/ops/batch defines what each effect computes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import isfinite
from reprlib import repr as shown
from typing import Any

from fastdigits.errors import UserError, setting
from fastdigits.ops.batch import Effects


@dataclass(frozen=True)
class Effect:
    """An effect of --augment: its field of Effects, the maximum value, and the meaning of the value."""

    field: str
    maximum: float
    meaning: str


EFFECTS = {
    "shift": Effect("shift_px", 100, "pixels, in either direction"),
    "rotate": Effect("rotate_deg", 180, "degrees, to either side"),
    "scale": Effect("scale", 0.9, "a fraction: 0.1 is up to 10 % smaller or larger, rows and columns separately"),
    "shear": Effect("shear_deg", 80, "degrees, to either side"),
    "elastic": Effect("elastic_px", 20, "pixels, the standard deviation of smooth displacements"),
    "contrast": Effect("contrast", 3, "the logarithm of the largest factor"),
    "gamma": Effect("gamma", 3, "the logarithm of the largest exponent"),
    "noise": Effect("noise", 3, "a fraction of the pixels' range, the standard deviation"),
    "erase": Effect("erase_px", 100, "whole pixels, the largest side of a square"),
}


@dataclass(frozen=True)
class Augmentation:
    """A change to the training images from outside of the package, in NumPy, once per epoch.

    Parameters
    ----------
    name : str
        In settings such as augment="NAME=0.1,shift=2".
    function : function
        function(images, amount, random) takes images uint8 (N, rows, columns), which it may overwrite, the number given
        in the setting, and a numpy.random.Generator that differs in every epoch; it returns images of the same shape.
    maximum : float
        Largest number.
    meaning : str
        Of the number.
    """

    name: str
    function: Callable[[Any, float, Any], Any]
    maximum: float = 1.0
    meaning: str = "the amount"

    def __call__(self, images: Any, amount: float, random: Any) -> Any:
        """Return changed images; raise UserError if the function returns another type or shape."""
        changed = self.function(images, amount, random)
        if getattr(changed, "dtype", None) != images.dtype or changed.shape != images.shape:
            raise UserError(f"The augmentation {self.name} must return uint8 images of the shape that it is given.")
        return changed


OWN: dict[str, Augmentation] = {}  # registered from outside of the package


def own_changes(text: str) -> list[Callable[[Any, Any], Any]]:
    """Return the augmentations from outside of the package in a text, as functions of images and a generator."""
    parts = [part.partition("=") for part in filter(None, text.split(","))]
    amounts = {name.strip(): float(number) for name, _, number in parts if name.strip() in OWN}
    return [partial(_change, OWN[name], amount) for name, amount in amounts.items()]


def _change(augmentation: Augmentation, amount: float, images: Any, random: Any) -> Any:
    return augmentation(images, amount, random)


def parse_effects(text: str) -> Effects:
    """Parse a text such as "shift=2,rotate=10"; an empty text means no effects.

    Raises
    ------
    UserError
        If an effect is unknown or given twice, or its value is not a number or out of range.
    """
    limits = {}
    for part in filter(None, text.split(",")):
        name, equals, number = (piece.strip() for piece in part.partition("="))
        if name not in EFFECTS and name not in OWN:
            raise UserError(
                f"{setting('augment')}: there is no effect {shown(name)}; choose among {', '.join((*EFFECTS, *OWN))}."
            )
        if name in limits:
            raise UserError(f"{setting('augment')}: {name} is given twice; give it once.")
        limits[name] = _limit(name, EFFECTS.get(name) or OWN[name], number)
    fields = {effect.field: limits[name] for name, effect in EFFECTS.items() if name in limits}
    return Effects(**fields)  # type: ignore[arg-type]  # `_limit` returns an int for erase_px


def _limit(name: str, effect: Effect | Augmentation, number: str) -> float:
    kind = type(Effects._field_defaults[effect.field]) if isinstance(effect, Effect) else float
    try:
        limit = kind(number)
    except ValueError:
        limit = float("nan")
    if not (isfinite(limit) and 0 <= limit <= effect.maximum):
        raise UserError(
            f"{setting('augment')}: {name} takes a number from 0 to {effect.maximum} ({effect.meaning}), not "
            f"{shown(number)}."
        )
    return limit
