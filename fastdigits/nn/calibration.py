"""Calibrate the probabilities of a network, and decide whether a prediction is sure."""

from collections.abc import Callable
from dataclasses import dataclass
from reprlib import repr as shown

import numpy as np

from fastdigits.errors import UserError
from fastdigits.nn.class_names import DIGITS

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0
TEMPERATURE_TOLERANCE = 0.01  # relative
MAX_BIAS = 20.0
BIAS_TOLERANCE = 0.001
MIN_PROBABILITY = 1e-30  # keeps logarithms finite


@dataclass(frozen=True)
class Calibration:
    """Temperature scaling, p' ~ p^(1 / temperature), the lowest confidence of a sure prediction, and a bias.

    A network that rejects pictures without a digit has learned from many of them, so that it expects more of them than
    there are in practice, and its confidence is too low. Whether a prediction is sure depends on the probabilities that
    `apply` returns. The confidence that users see comes from those that `expect_digits` returns.

    Parameters
    ----------
    temperature : float
        Above 1 the probabilities become less extreme, below 1 more.
    unsure_below : float
        Confidence, by the probabilities that `apply` returns, below which a prediction is unsure.
    no_digit_bias : float
        Added to the logarithm of the probability of "no digit"; negative if fewer pictures without a digit are
        expected than in training.

    Raises
    ------
    UserError
        If a value is out of its range.

    References
    ----------
    Guo et al. (2017), On calibration of modern neural networks.
    Saerens et al. (2002), Adjusting the outputs of a classifier to new a priori probabilities.
    """

    temperature: float = 1.0
    unsure_below: float = 0.5
    no_digit_bias: float = 0.0

    def __post_init__(self) -> None:
        in_range = {
            "temperature": MIN_TEMPERATURE <= self.temperature <= MAX_TEMPERATURE,
            "unsure_below": 0 <= self.unsure_below <= 1,
            "no_digit_bias": -MAX_BIAS <= self.no_digit_bias <= MAX_BIAS,
        }
        for name, valid in in_range.items():
            if not valid:
                raise UserError(f"The calibration's {name} cannot be {shown(getattr(self, name))}.")

    def apply(self, p: np.ndarray) -> np.ndarray:
        """Return the probabilities (N, classes) at the temperature, of uncalibrated ones of the same shape."""
        return _softened(p, self.temperature)

    def expect_digits(self, p: np.ndarray) -> np.ndarray:
        """Return the calibrated probabilities (N, classes) of those that `apply` returned."""
        return _biased(p, self.no_digit_bias)

    def is_sure(self, doubt: float, attempt: int = 1) -> bool:
        """Decide whether a doubt, 1 - confidence, is small enough for the n-th attempt at the same picture.

        Each attempt is another chance of a confident mistake, so the n-th must satisfy a stricter condition:
        doubt <= (1 - unsure_below) / n.
        """
        return bool(doubt <= (1 - self.unsure_below) / attempt)


def fit_temperature(p: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature, to 1 %, that minimizes the negative log-likelihood of labels (N,).

    The loss of probabilities (N, classes) has one minimum in the logarithm of the temperature.
    """
    low, high = np.log(MIN_TEMPERATURE), np.log(MAX_TEMPERATURE)
    found = _minimum(lambda log: _loss(_softened(p, np.exp(log)), labels), low, high, TEMPERATURE_TOLERANCE)
    return float(np.exp(found))


def fit_no_digit_bias(p: np.ndarray, labels: np.ndarray) -> float:
    """Return the bias that minimizes the negative log-likelihood of labels (N,), which has one minimum.

    The probabilities (N, classes) are those that `Calibration.apply` returned. The share of the labels above 9 becomes
    the expected share of pictures without a digit.
    """
    return _minimum(lambda bias: _loss(_biased(p, bias), labels), -MAX_BIAS, MAX_BIAS, BIAS_TOLERANCE)


def _minimum(loss: Callable[[float], float], low: float, high: float, tolerance: float) -> float:
    """Find the one minimum of a function by golden section search."""
    ratio = (np.sqrt(5) - 1) / 2
    while high - low > tolerance:
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        if loss(a) < loss(b):
            high = b
        else:
            low = a
    return float((low + high) / 2)


def _loss(p: np.ndarray, labels: np.ndarray) -> float:
    return float(-np.log(np.maximum(p[np.arange(len(labels)), labels], MIN_PROBABILITY)).mean())


def _biased(p: np.ndarray, bias: float) -> np.ndarray:
    """Multiply the probability of "no digit" by exp(bias), then divide each row by its sum."""
    changed = p.copy()
    changed[:, DIGITS:] *= np.exp(bias)
    return changed / changed.sum(1, keepdims=True)


def _softened(p: np.ndarray, temperature: float) -> np.ndarray:
    """Return p^(1 / temperature), with each row divided by its sum."""
    scores = np.log(np.maximum(p.astype(np.float64), MIN_PROBABILITY)) / temperature
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)
