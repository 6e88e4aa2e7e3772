"""How sure a network may be: its probabilities made honest, and the confidence below which it had better not answer."""

from dataclasses import dataclass

import numpy as np

from fastdigits.errors import UserError

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0  # of a temperature
TINY = 1e-30  # of a probability whose logarithm is taken


@dataclass(frozen=True)
class Calibration:
    """p' ~ p^(1 / temperature), and a reading is unsure whose confidence is below `unsure_below`.

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
        limits = {
            "temperature": MIN_TEMPERATURE <= self.temperature <= MAX_TEMPERATURE,
            "unsure_below": 0 <= self.unsure_below <= 1,
        }
        for name, fits in limits.items():
            if not fits:
                raise UserError(f"The calibration's {name} cannot be {getattr(self, name)!r}.")

    def apply(self, p: np.ndarray) -> np.ndarray:
        """The probabilities (N, classes), calibrated."""
        return softened(p, self.temperature)


def fit_temperature(p: np.ndarray, labels: np.ndarray) -> float:
    """The temperature at which probabilities (N, classes) explain the labels (N,) best, to 1 %.

    It makes -mean_n log p'[n, labels[n]] least, which has one minimum.
    """
    ratio = (np.sqrt(5) - 1) / 2  # of the golden section, on the logarithm
    low, high = np.log(MIN_TEMPERATURE), np.log(MAX_TEMPERATURE)
    while high - low > 0.01:
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        if _loss(p, labels, np.exp(a)) < _loss(p, labels, np.exp(b)):
            high = b
        else:
            low = a
    return float(np.exp((low + high) / 2))


def softened(p: np.ndarray, temperature: float) -> np.ndarray:
    """p^(1 / temperature), each row divided by its sum."""
    scores = np.log(np.maximum(p.astype(np.float64), TINY)) / temperature
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def _loss(p: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    of_label = softened(p, temperature)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(of_label, TINY)).mean())
