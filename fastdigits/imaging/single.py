"""A picture of one digit as an image such as MNIST has."""

from collections.abc import Iterator

import numpy as np

from fastdigits.imaging.finding import Finding, find_digit
from fastdigits.imaging.prepared import SIDE, Box, Prepared
from fastdigits.imaging.working import drawn, enlarged, first_step, found, resized, step

WORKING_SIDE = 512
SMALL = 100  # pixels of a digit's longer side, below which a larger picture is looked at more closely
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
    small = resized(picture, WORKING_SIDE)
    start, seen = first_step(small), []
    for finding in find_digit(small):
        prepared = _closer(picture, small, finding.box) or _prepared(picture, small, finding)
        if not any(_alike(prepared.image, image) for image in seen):
            seen.append(prepared.image)
            yield Prepared(prepared.image, prepared.box, (start, *prepared.steps[1:]))
    if not seen:
        yield Prepared(np.zeros((SIDE, SIDE), np.uint8), None, (start,))


def _prepared(picture: np.ndarray, small: np.ndarray, finding: Finding) -> Prepared:
    place = finding.box.slices
    image = drawn(finding.ink.strength[place], finding.mask[place])
    steps = first_step(small), step("ink", finding.ink.amount), step("marks", finding.mask)
    return found(image, enlarged(finding.box, small, picture), *steps)


def _closer(picture: np.ndarray, small: np.ndarray, box: Box) -> Prepared | None:
    """What the surroundings of a small digit show in the picture itself; None where that shows no more."""
    if len(picture) <= len(small) or max(box.width, box.height) >= SMALL:
        return None
    box = enlarged(box, small, picture)
    margin = max(box.width, box.height) // 2
    top, left = max(0, box.top - margin), max(0, box.left - margin)
    part = picture[top : box.top + box.height + margin, left : box.left + box.width + margin]
    small = resized(part, WORKING_SIDE)
    finding = next(find_digit(small), None)
    if finding is None:
        return None
    prepared = _prepared(part, small, finding)
    place = prepared.box._replace(left=prepared.box.left + left, top=prepared.box.top + top)
    return Prepared(prepared.image, place, prepared.steps)


def _alike(a: np.ndarray, b: np.ndarray) -> bool:
    return float(np.abs(a.astype(np.float32) - b).mean()) < ALIKE
