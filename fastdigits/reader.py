"""A trained network as a reader of digits: what it reads, how sure it is, and when it had better not answer."""

from dataclasses import dataclass

import numpy as np

from fastdigits import ops as devices
from fastdigits import weights as files
from fastdigits.calibration import Calibration
from fastdigits.config import EVALUATION_BATCH
from fastdigits.dataset.batches import Batches
from fastdigits.dataset.sources import shipped_folder
from fastdigits.errors import UserError
from fastdigits.evaluate import probabilities
from fastdigits.files import StrPath
from fastdigits.imaging import Prepared, candidates
from fastdigits.imaging.prepared import SIDE
from fastdigits.nn import Network

SHIPPED = "models/digits.h5"
DIGITS = 10


@dataclass(frozen=True)
class Reading:
    """What a network reads in an image.

    `probabilities` are those of the ten digits, `digit` has the greatest, which is the `confidence`, and `second` the
    next. `unsure` says that it may as well be another digit, or none.
    """

    digit: int
    confidence: float
    probabilities: tuple[float, ...]
    second: int
    unsure: bool


class Reader:
    """A network of a weights file, ready to read images.

    A network of eleven outputs tells by the last one that something is no digit. Its probability q is shared out
    among the digits, since nothing speaks for one of them: (1 - q) p[digit] + q / 10.

    Parameters
    ----------
    weights : path, optional
        The model that ships unless given.
    device : str
        "auto", "cpu", "cuda" or "reference".
    threads : int, optional
        Processor cores to use; all unless given.

    Raises
    ------
    UserError
        If the weights file is damaged, or its network does not read digits in images of 28 x 28 pixels.
    """

    def __init__(self, weights: StrPath | None = None, device: str = "auto", threads: int | None = None):
        self.weights = weights or shipped_folder() / SHIPPED
        saved = files.read(self.weights)
        self.model, self.normalisation = saved.model, saved.normalisation
        self.calibrated, self.calibration = saved.calibration is not None, saved.calibration or Calibration()
        self.network = Network.from_config(saved.network)
        pad = 2 * self.normalisation.preparation.pad
        if self.network.input_shape != (1, SIDE + pad, SIDE + pad) or self.network.classes not in (DIGITS, DIGITS + 1):
            raise UserError(f"{self.weights}: this network does not read digits of {SIDE} x {SIDE} pixels; give another.")
        device = devices.choose_device()[0] if device == "auto" else device
        self.network.build(devices.load(device, threads, saved.config["exact"]), EVALUATION_BATCH, training=False)
        self.network.set_values(saved.values)

    def read(self, images: np.ndarray) -> list[Reading]:
        """Read images uint8 (N, 28, 28), prepared as fastdigits.imaging.prepare does."""
        return [_reading(p, self.calibration.unsure_below) for p in self.digit_probabilities(images)]

    def look(self, picture: np.ndarray) -> tuple[Prepared, Reading]:
        """Read the digit of a picture uint8 (H, W, 3) or (H, W).

        Where it is not plain what is ink and what is ground, the first way to see it that the network is sure of, or
        else the one that it is least unsure of.
        """
        looks = []
        for prepared in candidates(picture):
            reading = self.read(prepared.image[None])[0]
            if not reading.unsure:
                return prepared, reading
            looks.append((prepared, reading))
        return max(looks, key=lambda look: look[1].confidence)

    def digit_probabilities(self, images: np.ndarray) -> np.ndarray:
        """The calibrated probabilities of the ten digits, float64 (N, 10), in images uint8 (N, 28, 28)."""
        p = self.calibration.apply(self.class_probabilities(images))
        digits, none = p[:, :DIGITS], p[:, DIGITS:].sum(1, keepdims=True)
        return digits + none / DIGITS if none.any() else digits

    def class_probabilities(self, images: np.ndarray) -> np.ndarray:
        """The network's own probabilities, float32 (N, classes)."""
        labels = np.zeros(len(images), np.uint8)
        batches = Batches(self.network.ops, images, labels, EVALUATION_BATCH, self.normalisation)
        return probabilities(self.network, batches, np.arange(len(images)))


def _reading(p: np.ndarray, unsure_below: float) -> Reading:
    digit, second = (int(place) for place in np.argsort(-p, kind="stable")[:2])
    return Reading(digit, float(p[digit]), tuple(p.tolist()), second, bool(p[digit] < unsure_below))
