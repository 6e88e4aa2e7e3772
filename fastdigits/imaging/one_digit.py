"""A picture of one digit as an image such as MNIST has."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fastdigits.imaging.background import flat_ground, is_flat, on_bright_ground, uneven_ground
from fastdigits.imaging.components import around, find_marks, of_one_digit
from fastdigits.imaging.ink import Ink, find_ink
from fastdigits.imaging.mnist_format import drawn, enlarged, first_step, found, resized, step, thickness_of
from fastdigits.imaging.paper import on_sheet
from fastdigits.imaging.types import SIDE, Box, Prepared

WORKING_SIDE = 512
SMALL = 100  # pixels of a digit's longer side, below which a larger picture is looked at more closely
ALIKE = 6.0  # mean difference of two images' pixels, 0 .. 255, up to which they show the same
REACHES = (0.45, 0.25, 0.12, 0.06)  # of the picture's longer side: no stroke is wider, most shadows are
MIN_SIDE = 5  # pixels of a digit's longer side
THICKEST = 0.42  # of a digit's longer side: what is thicker is a shadow or a blot
THINNER, STRONGER = 0.5, 1.0  # thickness and strength of ink that is plainer than other
GOOD = 0.3  # flaws below it count as none


@dataclass(frozen=True, eq=False)
class Finding:
    """A picture's ink, the mask of the marks that may be a digit, the box around them, and what speaks against it."""

    ink: Ink
    mask: np.ndarray
    box: Box
    flaw: float
    thickness: float  # of the strokes, as a part of the longer side

    @property
    def touches(self) -> bool:
        """Whether it lies at an edge of the picture."""
        left, top, width, height = self.box
        H, W = self.mask.shape
        return left == 0 or top == 0 or left + width == W or top + height == H

    def is_plainer(self, other: "Finding") -> bool:
        """Whether it is drawn in thinner strokes of ink no weaker."""
        return self.thickness < THINNER * other.thickness and self.ink.usual > STRONGER * other.ink.usual


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


def find_digit(picture: np.ndarray, within_sheet: bool = True) -> Iterator[Finding]:
    """What may be the digit of a picture uint8 (H, W, C), first of all that against which nothing speaks.

    Looked for are strokes wider than shadows, or narrower, unless the ground is flat; of ink darker than the ground,
    or brighter, that is, first what the border tells unless the other is plainer. Where a sheet of paper is found, it
    is looked for on that first.
    """
    bright, flawed = on_bright_ground(picture), []
    if is_flat(picture):
        finding = _marked(bright, flat_ground(bright))
        good = [found for found in _with_sheet(bright, finding, within_sheet) if found.flaw < GOOD]
        yield from good
        if good:
            return
    for reach in REACHES:
        likely, unlikely = (list(_find(colours, reach, within_sheet)) for colours in (bright, 255 - bright))
        if likely and unlikely and unlikely[0].is_plainer(likely[0]):
            likely, unlikely = unlikely, likely
        for finding in (*likely, *unlikely):
            if finding.flaw < GOOD:
                yield finding
            else:
                flawed.append(finding)
    yield from sorted(flawed, key=lambda finding: finding.flaw)


def _find(bright: np.ndarray, reach: float, within_sheet: bool) -> Iterator[Finding]:
    """With strokes up to `reach`; and where they touch an edge, as if they were cut off there."""
    finding = _marked(bright, uneven_ground(bright, reach, beyond=True))
    cut_off = _marked(bright, uneven_ground(bright, reach, beyond=False)) if finding and finding.touches else None
    *inner, whole = _with_sheet(bright, finding, within_sheet) or [None]
    yield from filter(None, (*inner, cut_off, whole))


def _with_sheet(bright: np.ndarray, finding: Finding | None, within_sheet: bool) -> list[Finding]:
    """What is found on a sheet, if the finding is one, and then itself."""
    if finding is None:
        return []
    sheet = on_sheet(bright, finding.mask) if within_sheet else None
    return [*(find_digit(sheet, within_sheet=False) if sheet is not None else ()), finding]


def _marked(bright: np.ndarray, ground: np.ndarray) -> Finding | None:
    ink = find_ink(bright, ground)
    marks = find_marks(ink)
    if not len(marks):
        return None
    chosen = of_one_digit(marks)
    mask, box = marks.mask(chosen), around([marks.boxes[n] for n in np.flatnonzero(chosen)])
    if max(box.width, box.height) < MIN_SIDE:
        return None
    clutter = 1 - marks.ink[chosen].sum() / marks.ink.sum()
    thickness = _thickness(mask, box)
    flaw = float(marks.leaning[chosen].any()) + clutter + max(0.0, thickness - THICKEST)
    return Finding(ink, mask, box, flaw, thickness)


def _thickness(mask: np.ndarray, box: Box) -> float:
    """The mean thickness of strokes, as a part of the longer side."""
    part = np.pad(mask[box.slices], 1)
    return thickness_of(part) / max(box.width, box.height)
