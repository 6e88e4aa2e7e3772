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
    """

    image: np.ndarray
    box: Box | None
    steps: tuple[PreparationStep, ...]
    alone: bool = True
