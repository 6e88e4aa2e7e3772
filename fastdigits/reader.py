"""A trained network as a reader of digits: what it reads, how sure it is, and when it is not."""

from dataclasses import dataclass

import numpy as np

from fastdigits.dataset.sources import shipped_folder
from fastdigits.files import StrPath
from fastdigits.sequential import load

SHIPPED = "models/digits.h5"
UNSURE_BELOW = 0.5


@dataclass(frozen=True)
class Reading:
    """What a network reads in an image; `second` is the runner-up, `probabilities` are those of the ten digits.

    `unsure` says that it may be another digit or none at all.
    """

    digit: int
    confidence: float
    probabilities: tuple[float, ...]
    second: int
    unsure: bool


class Reader:
    """A network of a weights file, ready to read images.

    Parameters
    ----------
    weights : path, optional
        The model that ships unless given.
    device : str

    Raises
    ------
    UserError
        If the weights file is damaged or the network does not read images of 28 x 28 pixels.
    """

    def __init__(self, weights: StrPath | None = None, device: str = "auto"):
        self.weights = weights or shipped_folder() / SHIPPED
        self.model = load(self.weights, device)
        self.temperature, self.unsure_below = 1.0, UNSURE_BELOW

    def read(self, images: np.ndarray) -> list[Reading]:
        """Read images uint8 (N, 28, 28), prepared as fastdigits.imaging.prepare does."""
        return [self._reading(p) for p in self.model.predict(images).astype(float)]

    def _reading(self, p: np.ndarray) -> Reading:
        digit, second = (int(place) for place in np.argsort(-p, kind="stable")[:2])
        return Reading(digit, float(p[digit]), tuple(p.tolist()), second, bool(p[digit] < self.unsure_below))
