"""Means over runs with their spread, as numbers and as text."""

from collections.abc import Sequence
from statistics import fmean, stdev

Spread = dict[str, float]


def spread(values: Sequence[float | None]) -> Spread | None:
    """Mean, standard deviation (of n - 1; 0 for one value), lowest and highest; None where there is no value."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    deviation = stdev(known) if len(known) > 1 else 0.0
    return {"mean": fmean(known), "std": deviation, "min": min(known), "max": max(known)}


def in_words(name: str, spread: Spread | None, form: str = ".2%") -> str:
    """One line such as "test accuracy: mean 98.00%, std 0.10%, lowest 97.90%, highest 98.10%"."""
    if spread is None:
        return f"{name}: none"
    mean, std, low, high = (format(spread[key], form) for key in ("mean", "std", "min", "max"))
    return f"{name}: mean {mean}, std {std}, lowest {low}, highest {high}"
