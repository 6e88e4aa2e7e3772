"""Read whole numbers in a picture: text, digits with boxes, and the confidence of the whole."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from fastdigits.imaging import Box
from fastdigits.inference.recognizer import Recognizer
from fastdigits.inference.sequences import Restriction


@dataclass(frozen=True, eq=False)
class Digit:
    """A digit of a number.

    Attributes
    ----------
    digit : int
    confidence : float
    box : Box or None
        In pixels of the picture.
    image : uint8 (28, 28)
        In the format of MNIST.
    prediction : int
        What the network for single digits says about the image.
    """

    digit: int
    confidence: float
    box: Box | None
    image: np.ndarray
    prediction: int


@dataclass(frozen=True, eq=False)
class Number:
    """The numbers in a picture.

    Attributes
    ----------
    text : str
        One line per number; "" if there is none, or none that the restriction allows.
    confidence : float
        The probability that the whole text is right.
    unsure : bool
    digits : tuple of Digit
        From left to right, line by line.
    """

    text: str
    confidence: float
    unsure: bool
    digits: tuple[Digit, ...]

    def in_file(self, box_in_file: Callable[[Box], Box]) -> "Number":
        """Convert the boxes to those in the file of the picture."""
        digits = tuple(replace(one, box=one.box and box_in_file(one.box)) for one in self.digits)
        return replace(self, digits=digits)


def read_number(recognizer: Recognizer, picture: np.ndarray, restriction: Restriction | None = None) -> Number:
    """Read the numbers in a picture uint8 (H, W, 3) or (H, W).

    Raises
    ------
    UserError
        If the picture shows too many shapes.
    """
    lines = recognizer.recognize_all(picture)
    text = "\n".join("".join(str(prediction.digit) for _, prediction in line) for line in lines)
    found = [one for line in lines for one in line]
    digits = tuple(Digit(one.digit, one.confidence, prepared.box, prepared.image, one.digit) for prepared, one in found)
    wanted = restriction.digits if restriction else None
    if not digits or wanted not in (None, len(digits)):
        return Number("", 0.0, True, ())
    confidence = prod(digit.confidence for digit in digits)
    return Number(text, confidence, any(one.unsure for _, one in found), digits)
