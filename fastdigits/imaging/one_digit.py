"""Prepare a picture of one digit."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fastdigits.imaging.background import (
    has_uniform_background,
    uneven_background,
    uniform_background,
    with_bright_background,
)
from fastdigits.imaging.components import bounding_box, find_components, holes, select_digit
from fastdigits.imaging.ink import InkMap, find_ink
from fastdigits.imaging.mnist_format import (
    gray_step,
    picture_step,
    scale_box,
    scale_picture,
    stroke_width,
    to_mnist_format,
    with_steps,
)
from fastdigits.imaging.paper import isolate_paper
from fastdigits.imaging.types import IMAGE_SIDE, Box, PreparationStep, Prepared

MAX_SIDE = 512  # pixels of the working copy of a picture
MAX_STROKES = (0.45, 0.25, 0.12, 0.06)  # limits of the stroke width to try, as fractions of the longer side
MIN_DIGIT_SIDE = 5  # pixels of the longer side
SMALL_DIGIT_SIDE = 100  # pixels of the longer side; smaller digits are prepared again at a higher resolution
MAX_STROKE_WIDTH = 0.42  # fraction of a digit's longer side; thicker ink is a shadow or a blot
MAX_PENALTY = 0.3  # of a plausible interpretation
THINNER, DARKER = 0.5, 1.0  # ratios of stroke width and contrast that make one interpretation clearer than another
MIN_CLUTTER = 0.1  # of the ink: less than that of another digit
MIN_WIDTH_OF_SEVERAL = 1.15  # of the height
MAX_ENCLOSED = 0.5  # fraction of the ink; more of it is the paper between the strokes of a digit
SAME_IMAGE = 6.0  # mean absolute difference of pixels, 0 .. 255, below which two images count as equal


def prepare(picture: np.ndarray) -> Prepared:
    """Prepare a picture of one digit: return the first of its `candidates`.

    Parameters
    ----------
    picture : uint8 (H, W, 3) or (H, W)
        In any colors, of any size.
    """
    return next(candidates(picture))


def candidates(picture: np.ndarray) -> Iterator[Prepared]:
    """Yield at least one interpretation of a picture as a digit, the most plausible first.

    Each is prepared only when the iterator reaches it.

    Parameters
    ----------
    picture : uint8 (H, W, 3) or (H, W)
        In any colors, of any size.
    """
    scaled = scale_picture(picture, MAX_SIDE)
    first_step = picture_step(scaled)
    images: list[np.ndarray] = []
    inside = np.zeros(scaled.shape[:2], bool)
    for found in _interpretations(scaled):
        prepared = _zoom_in(picture, scaled, found.box) or _prepared(picture, scaled, found)
        if not any(_is_same(prepared.image, image) for image in images):
            images.append(prepared.image)
            steps, enclosed = (first_step, *prepared.steps[1:]), found.lies_in(inside)
            yield Prepared(prepared.image, prepared.box, steps, found.is_alone, enclosed)
        inside |= holes(found.mask)
    if not images:
        yield Prepared(np.zeros((IMAGE_SIDE, IMAGE_SIDE), np.uint8), None, (first_step,))


@dataclass(frozen=True, eq=False)
class _Interpretation:
    """A possible digit in a picture.

    Attributes
    ----------
    ink : InkMap
    mask : bool (H, W)
        The components of the digit.
    box : Box
        Its bounding box.
    penalty : float
        0 if nothing is wrong with it.
    stroke_width : float
        As a fraction of the longer side of the box.
    clutter : float
        The fraction of ink outside the digit.
    """

    ink: InkMap
    mask: np.ndarray
    box: Box
    penalty: float
    stroke_width: float
    clutter: float

    @property
    def is_alone(self) -> bool:
        """Whether there is hardly any other ink, and it is not as wide as several digits."""
        return self.clutter < MIN_CLUTTER and self.box.width < MIN_WIDTH_OF_SEVERAL * self.box.height

    @property
    def touches_edge(self) -> bool:
        left, top, width, height = self.box
        H, W = self.mask.shape
        return left == 0 or top == 0 or left + width == W or top + height == H

    def lies_in(self, inside: np.ndarray) -> bool:
        """Return whether most of the digit lies in a part of the picture, bool (H, W)."""
        return bool(np.count_nonzero(self.mask & inside) > MAX_ENCLOSED * np.count_nonzero(self.mask))

    def is_clearer_than(self, other: "_Interpretation") -> bool:
        """Return whether its strokes are much thinner and its ink has a higher contrast."""
        thinner = self.stroke_width < THINNER * other.stroke_width
        return thinner and self.ink.typical_contrast > DARKER * other.ink.typical_contrast


def _interpretations(picture: np.ndarray, search_paper: bool = True) -> Iterator[_Interpretation]:
    """Yield interpretations of a picture uint8 (H, W, C): the plausible ones, then the others by increasing penalty.

    If the border is uniform, assume a uniform background. Otherwise, or if nothing plausible is found, try each limit
    of the stroke width, with ink darker and brighter than the background. Start with the polarity that the border
    suggests, unless the other is clearer.
    """
    bright, implausible = with_bright_background(picture), []
    if has_uniform_background(picture):
        found = _digit_on(bright, uniform_background(bright))
        plausible = [one for one in _with_paper(bright, found, search_paper) if one.penalty < MAX_PENALTY]
        yield from plausible
        if plausible:
            return
    for max_stroke in MAX_STROKES:
        likely, unlikely = (
            list(_digits_on_uneven_background(colors, max_stroke, search_paper)) for colors in (bright, 255 - bright)
        )
        if likely and unlikely and unlikely[0].is_clearer_than(likely[0]):
            likely, unlikely = unlikely, likely
        for found in (*likely, *unlikely):
            if found.penalty < MAX_PENALTY:
                yield found
            else:
                implausible.append(found)
    yield from sorted(implausible, key=lambda found: found.penalty)


def _digits_on_uneven_background(
    bright: np.ndarray, max_stroke: float, search_paper: bool
) -> Iterator[_Interpretation]:
    """Yield interpretations on a sheet of paper, then the digit cut off at an edge that it touches, then all of it."""
    found = _digit_on(bright, uneven_background(bright, max_stroke, extend_edges=True))
    if found is None:
        return
    cut_off = None
    if found.touches_edge:
        cut_off = _digit_on(bright, uneven_background(bright, max_stroke, extend_edges=False))
    *on_paper, whole = _with_paper(bright, found, search_paper)
    yield from filter(None, (*on_paper, cut_off, whole))


def _with_paper(bright: np.ndarray, found: _Interpretation | None, search_paper: bool) -> list[_Interpretation]:
    """Return an interpretation, preceded by those of its content if it has the shape of a sheet of paper."""
    if found is None:
        return []
    paper = isolate_paper(bright, found.mask) if search_paper else None
    return [*(_interpretations(paper, search_paper=False) if paper is not None else ()), found]


def _digit_on(bright: np.ndarray, background: np.ndarray) -> _Interpretation | None:
    """Find the digit on a background.

    The penalty is the sum of 1 for a clipped component, the fraction of ink outside the digit, and the excess stroke
    width.
    """
    ink = find_ink(bright, background)
    components = find_components(ink)
    if not len(components):
        return None
    selected = select_digit(components)
    mask = components.mask(selected)
    box = bounding_box([components.boxes[index] for index in np.flatnonzero(selected)])
    if max(box.width, box.height) < MIN_DIGIT_SIDE:
        return None
    clutter = 1 - components.ink[selected].sum() / components.ink.sum()
    width = stroke_width(np.pad(mask[box.slices], 1)) / max(box.width, box.height)
    penalty = float(components.clipped[selected].any()) + clutter + max(0.0, width - MAX_STROKE_WIDTH)
    return _Interpretation(ink, mask, box, penalty, width, clutter)


def _zoom_in(picture: np.ndarray, scaled: np.ndarray, box: Box) -> Prepared | None:
    """Prepare the surroundings of a small digit at a higher resolution, or return None if that is not possible."""
    if len(picture) <= len(scaled) or max(box.width, box.height) >= SMALL_DIGIT_SIDE:
        return None
    box = scale_box(box, scaled, picture)
    margin = max(box.width, box.height) // 2
    top, left = max(0, box.top - margin), max(0, box.left - margin)
    part = picture[top : box.top + box.height + margin, left : box.left + box.width + margin]
    scaled_part = scale_picture(part, MAX_SIDE)
    found = next(_interpretations(scaled_part), None)
    if found is None:
        return None
    prepared = _prepared(part, scaled_part, found)
    part_box = scale_box(found.box, scaled_part, part)
    box = part_box._replace(left=part_box.left + left, top=part_box.top + top)
    return Prepared(prepared.image, box, prepared.steps)


def _prepared(picture: np.ndarray, scaled: np.ndarray, found: _Interpretation) -> Prepared:
    slices = found.box.slices
    image = to_mnist_format(found.ink.strength[slices], found.mask[slices])
    steps: list[PreparationStep] = [
        picture_step(scaled),
        gray_step("ink", found.ink.contrast),
        gray_step("components", found.mask),
    ]
    return with_steps(image, scale_box(found.box, scaled, picture), *steps)


def _is_same(a: np.ndarray, b: np.ndarray) -> bool:
    return float(np.abs(a.astype(np.float32) - b).mean()) < SAME_IMAGE
