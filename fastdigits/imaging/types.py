"""What preparation makes of a picture."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

SIDE = 28  # of the images that networks read


class Box(NamedTuple):
    """A rectangle of a picture, in its pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Its rows and columns of an array (H, W)."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


class Step(NamedTuple):
    """What a step of the preparation made: its name and a picture, uint8 (H, W) or (H, W, 3)."""

    name: str
    picture: np.ndarray


@dataclass(frozen=True, eq=False)
class Prepared:
    """An image as MNIST has them, uint8 (28, 28) with bright ink on 0, and how it came about.

    `box` is where the ink lies in the picture, None where there is none: the image is all 0 then.
    """

    image: np.ndarray
    box: Box | None
    steps: tuple[Step, ...]
