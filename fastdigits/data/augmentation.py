"""Augmentation: parse the random changes to training images, such as shift=2,rotate=10,elastic=0.6.

fastdigits/ops/batch defines what each effect computes.
"""

from dataclasses import dataclass
from math import isfinite
from reprlib import repr as shown

from fastdigits.errors import UserError
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
        if name not in EFFECTS:
            raise UserError(f"--augment: there is no effect {shown(name)}; choose among {', '.join(EFFECTS)}.")
        effect = EFFECTS[name]
        if effect.field in limits:
            raise UserError(f"--augment: {name} is given twice; give it once.")
        limits[effect.field] = _limit(name, effect, number)
    return Effects(**limits)  # type: ignore[arg-type]  # `_limit` returns an int for erase_px


def _limit(name: str, effect: Effect, number: str) -> float:
    kind = type(Effects._field_defaults[effect.field])
    try:
        limit = kind(number)
    except ValueError:
        limit = float("nan")
    if not (isfinite(limit) and 0 <= limit <= effect.maximum):
        raise UserError(
            f"--augment: {name} takes a number from 0 to {effect.maximum} ({effect.meaning}), not {shown(number)}."
        )
    return limit
