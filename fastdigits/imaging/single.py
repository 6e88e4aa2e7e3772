"""A picture of one digit as an image such as MNIST has."""

from collections.abc import Iterator

import numpy as np

from fastdigits.imaging.finding import find_digit
from fastdigits.imaging.prepared import SIDE, Prepared
from fastdigits.imaging.working import drawn, enlarged, first_step, found, shrunk, step

WORKING_SIDE = 512
ALIKE = 6.0  # mean difference of two images' pixels, 0 .. 255, up to which they show the same


def prepare(picture: np.ndarray) -> Prepared:
    """Prepare a picture of one digit: the first of its `candidates`.

    Parameters
    ----------
    picture : uint8 (H, W, 3) or (H, W)
        In any colours, of any size.
    """
    return next(candidates(picture))


def candidates(picture: np.ndarray) -> Iterator[Prepared]:
    """The ways to see a digit in a picture, the likeliest first, each made when it is asked for; at least one.

    Parameters
    ----------
    picture : uint8 (H, W, 3) or (H, W)
        In any colours, of any size.
    """
    small = shrunk(picture, WORKING_SIDE)
    start, seen = first_step(small), []
    for finding in find_digit(small):
        image = drawn(finding.ink, finding.mask, finding.box)
        if not any(_alike(image, other) for other in seen):
            seen.append(image)
            steps = start, step("ink", finding.ink.amount), step("marks", finding.mask)
            yield found(image, enlarged(finding.box, small, picture), *steps)
    if not seen:
        yield Prepared(np.zeros((SIDE, SIDE), np.uint8), None, (start,))


def _alike(a: np.ndarray, b: np.ndarray) -> bool:
    return float(np.abs(a.astype(np.float32) - b).mean()) < ALIKE
