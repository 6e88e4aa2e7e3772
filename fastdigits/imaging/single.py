"""A picture of one digit as an image such as MNIST has."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from fastdigits.imaging import frame, strokes
from fastdigits.imaging.ground import on_bright_ground
from fastdigits.imaging.ink import Ink, find_ink
from fastdigits.imaging.marks import EIGHT_NEIGHBOURS, Marks, around, find_marks, of_one_digit
from fastdigits.imaging.prepared import SIDE, Box, Prepared, Step

WORKING_SIDE = 512
REACHES = (0.45, 0.25, 0.12, 0.06)  # of the picture's longer side: no stroke is wider
GOOD = 0.3
SHEET = 0.1  # of the picture: smaller ones are no sheets
ALIKE = 6.0  # mean difference of two images' pixels, 0 .. 255, up to which they show the same
SOLID = 0.42  # of a digit's longer side: thicker than that is a shadow, a sheet, a blot, but no stroke


@dataclass(frozen=True, eq=False)
class Finding:
    """Where a digit may be: the picture's ink and marks, which marks it is made of, and what speaks against it."""

    ink: Ink
    mask: np.ndarray
    box: Box
    flaw: float

    @property
    def touches(self) -> bool:
        """Whether it lies at an edge of the picture."""
        mask = self.mask
        return bool(mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())


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
    start = Step("picture", small if small.shape[2] == 3 else small[..., 0])
    images: list[np.ndarray] = []
    for found in find_digits(small):
        prepared = _prepared(found, start, picture.shape[0] / small.shape[0])
        if not any(_alike(prepared.image, image) for image in images):
            images.append(prepared.image)
            yield prepared
    if not images:
        yield Prepared(np.zeros((SIDE, SIDE), np.uint8), None, (start,))


def _prepared(found: Finding, start: Step, scale: float) -> Prepared:
    box = found.box
    part = slice(box.top, box.top + box.height), slice(box.left, box.left + box.width)
    strength = np.where(ndimage.binary_dilation(found.mask[part], EIGHT_NEIGHBOURS), found.ink.strength[part], 0)
    image = frame.centred(strokes.evened(strength))
    whole = Box(*(round(scale * length) for length in box))
    steps = start, Step("ink", as_grey(found.ink.amount)), Step("marks", as_grey(found.mask)), Step("28 x 28", image)
    return Prepared(image, whole, steps)


def _alike(a: np.ndarray, b: np.ndarray) -> bool:
    return float(np.abs(a.astype(np.float32) - b).mean()) < ALIKE


def find_digits(picture: np.ndarray, within_sheet: bool = True) -> Iterator[Finding]:
    """What may be a digit in a picture (H, W, C), what nothing speaks against first."""
    flawed = []
    colours = on_bright_ground(picture)
    for bright in (colours, 1 - colours):
        for reach in REACHES:
            for found in _find_both(bright, reach, within_sheet):
                if found.flaw < GOOD:
                    yield found
                else:
                    flawed.append(found)
    yield from sorted(flawed, key=lambda found: found.flaw)


def _find_both(bright: np.ndarray, reach: float, within_sheet: bool) -> Iterator[Finding]:
    found = _find(bright, reach, beyond=True)
    if found is None:
        return
    if within_sheet and (inner := on_sheet(bright, found.mask)) is not None:
        yield from find_digits(np.round(255 * inner).astype(np.uint8), within_sheet=False)
    if found.touches and (whole := _find(bright, reach, beyond=False)) is not None:
        yield whole
    yield found


def on_sheet(colours: np.ndarray, mask: np.ndarray) -> np.ndarray | None:
    """The colours of a sheet that lies on a larger ground, with the ground painted over; None if the mask is none."""
    filled = ndimage.binary_fill_holes(mask)
    area = int(filled.sum())
    if area < SHEET * mask.size or mask.sum() < 0.6 * area or area < 0.83 * _tightest_rectangle(filled):
        return None
    inside = ndimage.binary_erosion(filled, EIGHT_NEIGHBOURS, iterations=max(2, round(0.04 * np.sqrt(area))))
    if not inside.any():
        return None
    usual = np.median(colours[inside], axis=0)
    return np.where(inside[..., None], colours, usual)


def _tightest_rectangle(mask: np.ndarray) -> float:
    """The least area of a rectangle, turned by any angle, around the mask."""
    y, x = np.nonzero(mask ^ ndimage.binary_erosion(mask))
    angles = np.radians(np.arange(0, 90, 3))
    across = np.outer(np.cos(angles), x) + np.outer(np.sin(angles), y)
    along = np.outer(np.cos(angles), y) - np.outer(np.sin(angles), x)
    return float(((np.ptp(across, axis=1) + 1) * (np.ptp(along, axis=1) + 1)).min())


def _find(colours: np.ndarray, reach: float, beyond: bool) -> Finding | None:
    ink = find_ink(colours, reach, beyond)
    marks = find_marks(ink) if ink.usual else None
    if not marks:
        return None
    chosen = of_one_digit(marks)
    mask = marks.mask(chosen)
    box = around([box for box, is_chosen in zip(marks.boxes, chosen, strict=True) if is_chosen])
    return Finding(ink, mask, box, _flaw(marks, chosen, mask, box))


def _flaw(marks: Marks, chosen: np.ndarray, mask: np.ndarray, box: Box) -> float:
    part = np.pad(mask[box.top : box.top + box.height, box.left : box.left + box.width], 1)
    thickness = strokes.thickness_of(ndimage.distance_transform_edt(part), part) / max(box.width, box.height)
    clutter = 1 - marks.ink[chosen].sum() / marks.ink.sum()
    return float(marks.leaning[chosen].any()) + max(0.0, thickness - SOLID) + clutter


def shrunk(picture: np.ndarray, side: int) -> np.ndarray:
    """The picture (H, W, C) with no side longer than so many pixels; C is 1 where all is grey."""
    if picture.ndim == 3 and (picture[..., 0] == picture[..., 1]).all() and (picture[..., 0] == picture[..., 2]).all():
        picture = picture[..., 0]
    H, W = picture.shape[:2]
    if max(H, W) > side:
        factor = side / max(H, W)
        size = max(1, round(W * factor)), max(1, round(H * factor))
        picture = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))
    return picture[..., None] if picture.ndim == 2 else picture


def as_grey(field: np.ndarray) -> np.ndarray:
    """Numbers 0 .. 1 as a grey picture."""
    return np.round(255 * np.clip(field, 0, 1)).astype(np.uint8)
