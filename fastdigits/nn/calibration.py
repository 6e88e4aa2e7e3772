"""Calibrate the probabilities of a network, and decide whether a prediction is sure."""

from dataclasses import dataclass

import numpy as np

from fastdigits.errors import UserError

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0
TEMPERATURE_TOLERANCE = 0.01  # relative
MIN_PROBABILITY = 1e-30  # keeps logarithms finite


@dataclass(frozen=True)
class Calibration:
    """Temperature scaling, p' ~ p^(1 / temperature), and the lowest confidence of a sure prediction.

    Parameters
    ----------
    temperature : float
        Above 1 the probabilities become less extreme, below 1 more.
    unsure_below : float
        Confidence below which a prediction is unsure.

    Raises
    ------
    UserError
        If a value is out of its range.

    References
    ----------
    Guo et al. (2017), On calibration of modern neural networks.
    """

    temperature: float = 1.0
    unsure_below: float = 0.5

    def __post_init__(self) -> None:
        in_range = {
            "temperature": MIN_TEMPERATURE <= self.temperature <= MAX_TEMPERATURE,
            "unsure_below": 0 <= self.unsure_below <= 1,
        }
        for name, valid in in_range.items():
            if not valid:
                raise UserError(f"The calibration's {name} cannot be {getattr(self, name)!r}.")

    def apply(self, p: np.ndarray) -> np.ndarray:
        """Return the calibrated probabilities (N, classes) of uncalibrated ones of the same shape."""
        return _softened(p, self.temperature)

    def is_sure(self, confidence: float, attempt: int = 1) -> bool:
        """Decide whether a confidence suffices for the n-th attempt at the same picture.

        Each attempt is another chance of a confident mistake, so the n-th must satisfy a stricter condition:
        1 - confidence <= (1 - unsure_below) / n.
        """
        return bool(1 - confidence <= (1 - self.unsure_below) / attempt)


def fit_temperature(p: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature, to 1 %, that minimizes the negative log-likelihood of labels (N,).

    The loss of probabilities (N, classes) has one minimum in the logarithm of the temperature; find it by golden
    section search.
    """
    ratio = (np.sqrt(5) - 1) / 2
    low, high = np.log(MIN_TEMPERATURE), np.log(MAX_TEMPERATURE)
    while high - low > TEMPERATURE_TOLERANCE:
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        if _loss(p, labels, np.exp(a)) < _loss(p, labels, np.exp(b)):
            high = b
        else:
            low = a
    return float(np.exp((low + high) / 2))


def _loss(p: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    of_label = _softened(p, temperature)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(of_label, MIN_PROBABILITY)).mean())


def _softened(p: np.ndarray, temperature: float) -> np.ndarray:
    """Return p^(1 / temperature), with each row divided by its sum."""
    scores = np.log(np.maximum(p.astype(np.float64), MIN_PROBABILITY)) / temperature
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)
