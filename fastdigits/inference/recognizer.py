"""A trained network as a reader of digits: what it reads, how sure it is, and when it had better not answer."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from fastdigits import ops as devices
from fastdigits.config.training import EVALUATION_BATCH
from fastdigits.data.batches import Batches
from fastdigits.data.sources import shipped_folder
from fastdigits.errors import UserError
from fastdigits.files import StrPath
from fastdigits.imaging import Cell, Prepared, candidates, find_cells
from fastdigits.imaging.types import SIDE
from fastdigits.inference.evaluate import probabilities
from fastdigits.nn import Network
from fastdigits.nn.calibration import Calibration
from fastdigits.nn.network import INFERENCE_MICRO_BATCH
from fastdigits.storage import weights as files

SHIPPED = "models/digits.h5"
DIGITS = 10


@dataclass(frozen=True)
class Prediction:
    """What a network reads in an image.

    `probabilities` are those of the ten digits, `digit` has the greatest, which is the `confidence`, and `second` the
    next. `unsure` says that it may as well be another digit, or none; `no_digit` is the probability of the latter.
    """

    digit: int
    confidence: float
    probabilities: tuple[float, ...]
    second: int
    unsure: bool
    no_digit: float = 0.0


class Recognizer:
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
        saved = self.saved = files.read(self.weights)
        self.calibrated, self.calibration = saved.calibration is not None, saved.calibration or Calibration()
        network = Network.from_config(saved.network)
        side = SIDE + 2 * saved.normalisation.preparation.pad
        if network.input_shape != (1, side, side) or network.classes not in (DIGITS, DIGITS + 1):
            raise UserError(
                f"{self.weights}: its network reads no digits of {SIDE} x {SIDE} pixels; give another file."
            )
        device = devices.choose_device()[0] if device == "auto" else device
        self.ops = devices.load(device, threads, saved.config["exact"])

    @cached_property
    def one(self) -> Network:
        """The network, built to read one image in the least time."""
        return self.saved.built(devices.to_infer(self.ops, 1), 1)

    @cached_property
    def few(self) -> Network:
        """The network, built to read a few images in the least time: a batch is read even where it is mostly empty."""
        return self.saved.built(self.ops, self.ops.lanes)

    @cached_property
    def many(self) -> Network:
        """The network, built to read many images in the least time."""
        return self.saved.built(self.ops, EVALUATION_BATCH)

    def predict(self, images: np.ndarray) -> list[Prediction]:
        """Read images uint8 (N, 28, 28), prepared as fastdigits.imaging.prepare does."""
        p = self.calibration.apply(self.class_probabilities(images))
        return [self._reading(one[:DIGITS], float(one[DIGITS:].sum())) for one in p]

    def recognize(self, picture: np.ndarray) -> tuple[Prepared, Prediction]:
        """Read the digit of a picture uint8 (H, W, 3) or (H, W).

        Where it is not plain what is ink and what is ground, the first way to see it that the network is sure of, or
        else the one that it is least unsure of. Each further way is one more chance to be mistaken: of the n-th, the
        network is sure whose doubt, 1 - confidence, is at most an n-th of what it may be at first.
        """
        looks = []
        for number, prepared in enumerate(candidates(picture), 1):
            reading = self.predict(prepared.image[None])[0]
            doubtful = 1 - reading.confidence > (1 - self.calibration.unsure_below) / number
            looks.append((prepared, replace(reading, unsure=doubtful)))
            if not doubtful:
                return looks[-1]
        return max(looks, key=lambda look: look[1].confidence)

    def recognize_all(self, picture: np.ndarray) -> list[list[tuple[Prepared, Prediction]]]:
        """Read every digit of a picture uint8 (H, W, 3) or (H, W): line by line, each from left to right.

        What is rather no digit than one is left out.
        """
        lines = [[look for cell in line for look in self._look_at(cell)] for line in find_cells(picture)]
        return [line for line in lines if line]

    def class_probabilities(self, images: np.ndarray) -> np.ndarray:
        """The network's own probabilities, float32 (N, classes), of images uint8 (N, 28, 28)."""
        count = len(images)
        network = self.one if count <= devices.FEW else self.few if count <= INFERENCE_MICRO_BATCH else self.many
        batches = Batches(network.ops, images, None, network.batch_size, self.saved.normalisation)
        return probabilities(network, batches, np.arange(count))

    def _look_at(self, cell: Cell) -> list[tuple[Prepared, Prediction]]:
        """One digit, or several that touch if the least sure of them is surer than the one."""
        found = (cell.whole, *cell.parts)
        whole, *parts = zip(found, self.predict(np.stack([one.image for one in found])), strict=True)
        several = parts and min(reading.confidence for _, reading in parts) > whole[1].confidence
        return [look for look in (parts if several else [whole]) if look[1].no_digit < 0.5]

    def _reading(self, p: np.ndarray, no_digit: float) -> Prediction:
        p = p + no_digit / DIGITS
        digit, second = (int(place) for place in np.argsort(-p, kind="stable")[:2])
        unsure = bool(p[digit] < self.calibration.unsure_below)
        return Prediction(digit, float(p[digit]), tuple(p.tolist()), second, unsure, no_digit)
