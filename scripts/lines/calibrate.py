"""Fit the confidence of readings to the share of them that are right."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar

from fastdigits.inference.lattice import Lattice
from fastdigits.inference.line_reader import Found, choose, value_of
from fastdigits.nn.calibration import MAX_TEMPERATURE, MIN_TEMPERATURE, Calibration

MAX_WRONG = 0.015  # of the sure readings of validation lines; of real pictures it may be a little more
MIN_DOUBT = 1e-6  # keeps logarithms finite


def fit(found: Sequence[Found], lattices: Sequence[Lattice], texts: Sequence[str]) -> Calibration:
    """Return the temperature that minimizes the negative log-likelihood of being right, and the limit of being sure.

    Parameters
    ----------
    found : sequence of Found
        What was found in each line.
    lattices : sequence of Lattice
        What the pieces of each line look like.
    texts : sequence of str
        What the lines say.
    """

    def loss(log_temperature: float) -> float:
        p, right = _judged(found, lattices, texts, float(np.exp(log_temperature)))
        p = np.clip(p, MIN_DOUBT, 1 - MIN_DOUBT)
        return float(-np.log(np.where(right, p, 1 - p)).mean())

    best = minimize_scalar(loss, bounds=np.log((MIN_TEMPERATURE, MAX_TEMPERATURE)), method="bounded")
    temperature = round(float(np.exp(best.x)), 3)
    return Calibration(temperature, least_sure(*_judged(found, lattices, texts, temperature)))


def least_sure(confidences: np.ndarray, right: np.ndarray) -> float:
    """Return the least confidence for which at most MAX_WRONG of the readings that reach it are wrong."""
    limits = np.unique(confidences)
    wrong = np.array([np.mean(~right[confidences >= limit]) for limit in limits])
    return float(min(limits[wrong <= MAX_WRONG], default=1.0))


def read_all(found: Sequence[Found], lattices: Sequence[Lattice], temperature: float) -> list[tuple[str, float]]:
    """Return the text and the confidence of each line."""
    return [
        choose(views, temperature, lambda lattice=lattice: lattice) if any(views) else ("", 0.0)
        for views, lattice in zip(found, lattices, strict=True)
    ]


def _judged(
    found: Sequence[Found], lattices: Sequence[Lattice], texts: Sequence[str], temperature: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the confidence of each reading and whether its value is right."""
    chosen = read_all(found, lattices, temperature)
    right = [value_of(read) == value_of(text) for (read, _), text in zip(chosen, texts, strict=True)]
    return np.array([confidence for _, confidence in chosen]), np.array(right)
