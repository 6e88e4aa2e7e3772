"""Read whole numbers for the server: the text of a picture, and the digits in it, also as single images."""

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from fastdigits.imaging import Picture, prepare
from fastdigits.imaging.types import IMAGE_SIDE
from fastdigits.inference.numbers import Digit, NumberReader
from fastdigits.inference.sequences import Restriction


@dataclass(frozen=True)
class Text:
    """The numbers in a picture.

    Attributes
    ----------
    text : str
        One line for each number; "" if there is none, or none that the restriction allows.
    confidence : float
        The probability that the whole text is right.
    unsure : bool
    digits : tuple of Digit
        Line by line, from left to right.
    """

    text: str
    confidence: float
    unsure: bool
    digits: tuple[Digit, ...]


def read_text(reader: NumberReader, picture: np.ndarray, restriction: Restriction | None = None) -> Text:
    """Read the numbers in a picture uint8 (H, W, 3) or (H, W).

    Raises
    ------
    UserError
        If the picture shows too many lines.
    """
    numbers = reader.read(picture, restriction)
    if not numbers:
        return Text("", 0.0, True, ())
    return Text(
        "\n".join(number.text for number in numbers),
        prod(number.confidence for number in numbers),
        any(number.unsure for number in numbers),
        tuple(digit for number in numbers for digit in number.digits),
    )


def in_file(text: Text, picture: Picture) -> Text:
    """Convert the boxes of a text to those in the file of the picture."""
    digits = tuple(replace(digit, box=picture.box_in_file(digit.box)) for digit in text.digits)
    return replace(text, digits=digits)


def digit_images(picture: np.ndarray, text: Text) -> np.ndarray:
    """Return the digits of a text as images uint8 (N, 28, 28) in the format of MNIST."""
    images = [prepare(_cut_out(picture, digit)).image for digit in text.digits]
    return np.array(images, np.uint8).reshape(-1, IMAGE_SIDE, IMAGE_SIDE)


def _cut_out(picture: np.ndarray, digit: Digit) -> np.ndarray:
    """Return the part of a picture (H, W, 3) or (H, W) in the box of a digit, with a border of the color around it."""
    part, box = picture[digit.box.slices], digit.box
    border = max(part.shape[:2]) // 2 + 1
    top, left = max(box.top - border, 0), max(box.left - border, 0)
    around = picture[top : box.top + box.height + border, left : box.left + box.width + border]
    widths = [(border, border), (border, border)] + [(0, 0)] * (picture.ndim - 2)
    inside = np.pad(np.ones(part.shape, bool), widths)
    paper = np.median(around, axis=(0, 1)).astype(np.uint8)
    return np.where(inside, np.pad(part, widths), paper)
