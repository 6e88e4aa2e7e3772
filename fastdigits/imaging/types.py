"""The results of preparing a picture."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

IMAGE_SIDE = 28  # pixels of an image in the format of MNIST


class Box(NamedTuple):
    """A bounding box in pixels of a picture."""

    left: int
    top: int
    width: int
    height: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """The rows and columns of the box in an array (H, W)."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)

    def scaled(self, shape: tuple[int, ...], to_shape: tuple[int, ...]) -> "Box":
        """Convert a box in a picture of `shape`, rows and columns first, to one in a copy of `to_shape`."""
        y_factor, x_factor = to_shape[0] / shape[0], to_shape[1] / shape[1]
        left, top = round(self.left * x_factor), round(self.top * y_factor)
        right, bottom = round((self.left + self.width) * x_factor), round((self.top + self.height) * y_factor)
        return Box(left, top, max(1, right - left), max(1, bottom - top))


class PreparationStep(NamedTuple):
    """The name and the result of one step of the preparation, uint8 (H, W) or (H, W, 3)."""

    name: str
    picture: np.ndarray


@dataclass(frozen=True, eq=False)
class Prepared:
    """An image in the format of MNIST and where it comes from.

    Attributes
    ----------
    image : uint8 (28, 28)
        Bright ink on 0; all 0 if no ink was found.
    box : Box or None
        The bounding box of the ink in the picture; None if no ink was found.
    steps : tuple of PreparationStep
        The picture, intermediate results, and the image.
    alone : bool
        Whether nearly all ink of the picture belongs to the digit, and the digit is not as wide as several.
    enclosed : bool
        Whether an earlier candidate of the same picture encloses most of the ink, so that it may be the paper inside
        of a digit.
    """

    image: np.ndarray
    box: Box | None
    steps: tuple[PreparationStep, ...]
    alone: bool = True
    enclosed: bool = False
