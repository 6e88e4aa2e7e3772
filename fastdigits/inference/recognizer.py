"""Recognize the digit in a picture with a trained network, and mark predictions that are unsure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastdigits import ops as devices
from fastdigits.data.sources import shipped_folder
from fastdigits.errors import UserError, setting
from fastdigits.files import StrPath
from fastdigits.imaging import Prepared, candidates
from fastdigits.imaging.types import IMAGE_SIDE
from fastdigits.inference.pool import NetworkPool
from fastdigits.nn import Network
from fastdigits.nn.calibration import Calibration
from fastdigits.nn.class_names import DIGITS, decides_on_digits, default_names
from fastdigits.ops.interface import Ops
from fastdigits.ops.runtime.rehearsal import Rehearsal
from fastdigits.storage import weights as files

SHIPPED = "models/digits.h5"


@dataclass(frozen=True)
class Prediction:
    """The prediction of a network for one image.

    Attributes
    ----------
    digit : int
        The most probable digit; for other classes the number of the class.
    confidence : float
        Its probability.
    probabilities : tuple of float
        Probabilities of the digits 0 to 9, or of the classes.
    second : int
        The second most probable digit or class.
    unsure : bool
        Whether the confidence is too low to rely on: it may be another digit or class, or none.
    doubt : float
        1 - confidence if pictures without a digit were as common as in training. It decides whether a prediction is
        unsure. See `Calibration`.
    no_digit : float
        The probability that the image shows no digit, if such pictures were as common as in training; 0 if the
        network has no output for it.
    classes : tuple of str
        Names of the digits or classes.
    """

    digit: int
    confidence: float
    probabilities: tuple[float, ...]
    second: int
    unsure: bool
    doubt: float
    no_digit: float = 0.0
    classes: tuple[str, ...] = default_names(DIGITS)

    @property
    def label(self) -> str:
        """The name of the most probable class."""
        return self.classes[self.digit]

    @property
    def second_label(self) -> str:
        """The name of the second most probable class."""
        return self.classes[self.second]


class Recognizer:
    """Recognizer of digits, or of other classes, that uses the network of a weights file.

    The last output of a network of digits with eleven outputs stands for "no digit". Its probability q is spread evenly
    over the digits: p[digit] + q / 10.

    Any number of threads may use a recognizer at the same time.

    Parameters
    ----------
    weights : path, optional
        Defaults to the model shipped with fastdigits.
    device : str
        "auto", "cpu", "cuda" or "reference".
    threads : int, optional
        Number of CPU threads; defaults to all cores.

    Raises
    ------
    UserError
        If the weights file is damaged, or its network does not take images of 28 x 28 pixels.
    """

    def __init__(self, weights: StrPath | None = None, device: str = "auto", threads: int | None = None):
        self.weights = weights or shipped_folder() / SHIPPED
        saved = files.read(self.weights)
        saved = self.saved = replace(saved, normalisation=saved.normalisation.for_mnist_format())
        self.model = saved.model
        self.calibrated, self.calibration = saved.calibration is not None, saved.calibration or Calibration()
        network = Network.from_config(saved.network)
        side = IMAGE_SIDE + 2 * saved.normalisation.preparation.pad
        if network.input_shape != (1, side, side):
            raise UserError(
                f"{self.weights}: its network does not take images of {IMAGE_SIDE} x {IMAGE_SIDE} pixels, as which "
                f"pictures are prepared; train with {setting('size', IMAGE_SIDE)}, or give another file."
            )
        if network.classes < 2:
            raise UserError(f"{self.weights}: its network has one class only, so it tells nothing; give another file.")
        names = network.class_names
        self.classes = names[:DIGITS] if decides_on_digits(names) else names
        self.device, self.threads = device, threads
        self._load()

    def __getstate__(self) -> dict[str, Any]:
        """Return what `pickle` and `copy` need: everything but the kernels, which each process loads."""
        return {name: value for name, value in vars(self).items() if name not in ("ops", "_pool")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._load()

    def with_weights(self, weights: dict[str, np.ndarray]) -> "Recognizer":
        """Return a recognizer whose network has other weights, of the same names and shapes."""
        other = object.__new__(Recognizer)
        other.__setstate__(self.__getstate__() | {"saved": replace(self.saved, weights=weights)})
        return other

    def deferred(self, rehearsal: Rehearsal) -> "Recognizer":
        """Return a recognizer with the same network whose operations do not run; see `Rehearsal.defer`."""
        other = object.__new__(Recognizer)
        other.__dict__.update(vars(self), _pool=self._pool.deferred(rehearsal))
        return other

    @property
    def single_ops(self) -> Ops:
        """The operations for single images."""
        return self._pool.single_ops or self._pool.ops

    def predict(self, images: np.ndarray) -> list[Prediction]:
        """Predict the digits of images uint8 (N, 28, 28) in the format of MNIST, as `imaging.prepare` returns them."""
        p = self.calibration.apply(self.class_probabilities(images))
        answers = len(self.classes)  # without "no digit"
        in_use = _spread(self.calibration.expect_digits(p) if p.shape[1] > answers else p, answers)
        return [
            self._prediction(*rows) for rows in zip(in_use, _spread(p, answers), p[:, answers:].sum(1), strict=True)
        ]

    def recognize(self, picture: np.ndarray) -> tuple[Prepared, Prediction]:
        """Recognize the digit in a picture uint8 (H, W, 3) or (H, W).

        If ink and background are ambiguous, try each interpretation and return the first confident one, else the most
        confident. See `CandidateSearch`.
        """
        search = CandidateSearch(candidates(picture), self.calibration)
        while (prepared := search.next_candidate()) is not None:
            search.add(self.predict(prepared.image[None])[0])
        return search.tried[search.best]

    def class_probabilities(self, images: np.ndarray) -> np.ndarray:
        """Compute the uncalibrated probabilities float32 (N, classes) of images uint8 (N, 28, 28)."""
        return self._pool.probabilities(images)

    def digit_probabilities(self, images: np.ndarray) -> np.ndarray:
        """Compute the uncalibrated probabilities (N, 10) of images uint8 (N, 28, 28), with "no digit" spread evenly."""
        return _spread(self.class_probabilities(images), len(self.classes))

    def _load(self) -> None:
        """Load the kernels and build the network."""
        device = devices.choose_device()[0] if self.device == "auto" else self.device
        self.ops = devices.load(device, self.threads, self.saved.config["exact"])
        network = self.saved.built(self.ops, self.ops.lanes)
        self._pool = NetworkPool(network, self.saved.normalisation, low_latency=True)

    def _prediction(self, in_use: np.ndarray, as_trained: np.ndarray, no_digit: float) -> Prediction:
        digit, second = (int(index) for index in np.argsort(-in_use, kind="stable")[:2])
        doubt = 1 - float(as_trained[digit])
        unsure = not self.calibration.is_sure(doubt)
        confidence, probabilities = float(in_use[digit]), tuple(in_use.tolist())
        return Prediction(digit, confidence, probabilities, second, unsure, doubt, float(no_digit), self.classes)


class CandidateSearch:
    """Search for the best candidate of a picture: the first one with a sure prediction, else the least doubtful.

    What an earlier candidate encloses may be the paper inside of a digit, so it is chosen only if it is sure.
    Each candidate is another chance of a confident mistake, so `Calibration.is_sure` becomes stricter with each.
    The search does not call the network itself, so that callers can run it asynchronously:

        while (prepared := search.next_candidate()) is not None:
            search.add(predict(prepared.image))
        prepared, prediction = search.tried[search.best]

    Parameters
    ----------
    candidates : iterator of Prepared
        At least one; evaluated lazily, only until a prediction is sure.
    calibration : Calibration
        The calibration of the network.

    Attributes
    ----------
    tried : list of (Prepared, Prediction)
        The candidates so far; `unsure` takes the number of the attempt into account.
    """

    def __init__(self, candidates: Iterator[Prepared], calibration: Calibration):
        self.tried: list[tuple[Prepared, Prediction]] = []
        self._candidates, self._calibration = candidates, calibration
        self._pending: Prepared | Any = None

    def next_candidate(self) -> Prepared | None:
        """Return the next candidate to predict, or None if the search is over."""
        decided = self.tried and not self.tried[-1][1].unsure
        self._pending = None if decided else next(self._candidates, None)
        return self._pending

    def add(self, prediction: Prediction) -> None:
        """Add the prediction for the candidate that `next_candidate` returned last."""
        assert self._pending is not None, "call next_candidate first"
        sure = self._calibration.is_sure(prediction.doubt, attempt=len(self.tried) + 1)
        self.tried.append((self._pending, replace(prediction, unsure=not sure)))

    @property
    def best(self) -> int:
        """The index in `tried` of the chosen candidate."""
        if not self.tried[-1][1].unsure:
            return len(self.tried) - 1
        free = [index for index, (prepared, _) in enumerate(self.tried) if not prepared.enclosed]
        return min(free, key=lambda index: self.tried[index][1].doubt)  # nothing encloses the first candidate


def _spread(p: np.ndarray, answers: int) -> np.ndarray:
    """Return probabilities of the answers (N, answers) that include an equal part of that of "no digit"."""
    return p[:, :answers] + p[:, answers:].sum(1, keepdims=True) / answers
