"""Find rules in the ink of a page: the lines of writing paper and tables, and the frames of forms."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from fastdigits.imaging.components import EIGHT_NEIGHBORS, Components, box_edges
from fastdigits.imaging.ink import InkMap

MIN_FRAME_RULE = 0.6  # length of a horizontal side of a frame, as a fraction of the width of its component
MIN_SIDE_RULE = 0.95  # length of a vertical side of a frame, as a fraction of the distance between horizontal ones
MAX_SIDE_DEPTH = 0.06  # of a vertical side from the ends of the horizontal ones, as a fraction of their length
MIN_FRAME_ASPECT = 2  # width divided by height of a frame whose digits all touch it
MIN_FRAME_SIDE = 20  # pixels; a smaller one is the loop of a digit
MAX_RELATIVE_THICKNESS = 0.12  # of the sides of a frame, as a fraction of its shorter side
MIN_THICKNESS, MAX_THICKNESS = 4, 8  # pixels; thinner lines are never too thick, and thicker ones always
SLOPES = (0.0, 0.02, -0.02, 0.04, -0.04)  # of rules in a page that is nearly straight
MIN_CONTRAST = 0.25  # of a rule, as a fraction of the typical contrast of ink
MIN_COVERAGE = 0.7  # fraction of a rule that is ink and no stroke crosses
GAP = 3  # pixels that may be missing in a rule
WIDENING = 2  # pixels around a rule that are still darker than the paper
SMALL_WIDTH = 400  # pixels of the copy in which the slope of rules is measured
SLOPE_STEP = 0.01
MAX_COVERAGE = 4  # total area of the components that are searched for rules, relative to that of the picture
NEAR, FINE_STEP = 0.06, 0.0025  # of the slopes around the best of these


def rule_slope(ink: InkMap, components: Components, min_length: float, max_slope: float) -> float | None:
    """Return the slope of rules, in rows per column, or None if there is none of `min_length` pixels.

    Several slopes are near enough to follow a rule. At the best one, the ink of each rule lies in the fewest rows.
    """
    if not any(box.width >= min_length for box in components.boxes):
        return None
    factor = -(-components.labels.shape[1] // SMALL_WIDTH)
    small = _any_of_squares(_rule_like(ink, (slice(None), slice(None))), factor)
    thin = small & ~ndimage.binary_opening(small, np.ones((MIN_THICKNESS + 2, 1), bool))
    slopes = np.arange(-max_slope, max_slope + SLOPE_STEP / 2, SLOPE_STEP)
    runs = [_horizontal_runs(thin, round(min_length / factor), (slope,)) for slope in slopes]
    lengths = [int(found.sum()) for found in runs]
    if not max(lengths):
        return None
    y, x = np.nonzero(runs[int(np.argmax(lengths))])
    near = slopes[int(np.argmax(lengths))] + np.arange(-NEAR, NEAR + FINE_STEP / 2, FINE_STEP)
    rows = [np.bincount(np.round(y - slope * x).astype(int) + 2 * sum(small.shape)) for slope in near]
    return float(near[int(np.argmax([(counts.astype(float) ** 2).sum() for counts in rows]))])


class Rules(NamedTuple):
    """The pixels of rules and frames, bool (H, W), and whether there is a frame."""

    mask: np.ndarray
    has_frame: bool


def find_rules(ink: InkMap, components: Components, min_length: float) -> Rules:
    """Find frames, and rules of `min_length` pixels, in a page that is nearly straight.

    They may be fainter than the writing. Strokes that cross a rule are not part of it. A frame has parallel horizontal
    sides and vertical sides that reach from one of these to the next.
    """
    found = np.zeros(components.labels.shape, bool)
    has_frame = False
    for number in _may_have_rules(components, min_length):
        box = components.boxes[number]
        mask = _rule_like(ink, box.slices)
        length = MIN_FRAME_RULE * box.width
        thickness = min(max(MIN_THICKNESS, MAX_RELATIVE_THICKNESS * min(box.height, box.width)), MAX_THICKNESS)
        horizontal = _thin_runs(mask, round(min(length, min_length)), thickness)
        vertical = _sides(mask, horizontal, thickness)
        if vertical.any():
            has_frame = True
            found[box.slices] |= _without_crossing(horizontal, mask & ~vertical)
            found[box.slices] |= _without_crossing(vertical.T, (mask & ~horizontal).T).T
            found[box.slices] |= _corners(horizontal, vertical, int(thickness) + WIDENING)
        elif box.width >= min_length:
            found[box.slices] |= _without_crossing(horizontal, mask)
    return Rules(found, has_frame)


def _may_have_rules(components: Components, min_width: float) -> np.ndarray:
    """Return the indices of components that are wide, or have the center of another one in their box.

    Leave out the smallest if their boxes together cover more than MAX_COVERAGE pictures.
    """
    left, top, right, bottom = box_edges(components.boxes)
    width, height, x, y = right - left, bottom - top, (left + right) / 2, (top + bottom) / 2
    is_large = (width >= MIN_FRAME_SIDE) & (height >= MIN_FRAME_SIDE)
    chosen = (width >= min_width) | (is_large & (width >= MIN_FRAME_ASPECT * height))
    for number in np.flatnonzero(is_large & ~chosen):
        inside = (left[number] < x) & (x < right[number]) & (top[number] < y) & (y < bottom[number])
        chosen[number] = inside.sum() > 1  # its own center, too
    largest = np.flatnonzero(chosen)[np.argsort(-(width * height)[chosen], kind="stable")]
    return largest[np.cumsum((width * height)[largest]) <= MAX_COVERAGE * components.labels.size]


def _rule_like(ink: InkMap, area: tuple[slice, slice]) -> np.ndarray:
    """Return where the ink of an area is dark enough for a rule; strength would miss faint rules next to dark ink."""
    return ink.contrast[area] > MIN_CONTRAST * ink.typical_contrast


def _sides(mask: np.ndarray, horizontal: np.ndarray, thickness: float) -> np.ndarray:
    """Return the vertical sides of a frame, bool (h, w), given the horizontal ones; none if it is no frame."""
    labels, _ = ndimage.label(horizontal, EIGHT_NEIGHBORS)
    rows = sorted((rows.start + rows.stop) / 2 for rows, _ in ndimage.find_objects(labels))
    distances = np.diff(rows)
    distances = distances[distances >= MIN_FRAME_SIDE]
    if not len(distances):
        return np.zeros_like(mask)
    vertical = _thin_runs(mask.T, round(MIN_SIDE_RULE * distances.min()), thickness).T
    columns = np.flatnonzero(horizontal.any(0))
    depth = max(MIN_THICKNESS, round(MAX_SIDE_DEPTH * np.ptp(columns)))  # horizontal runs end at the vertical sides
    between = vertical[round(rows[0]) : round(rows[-1]) + 1]
    outer = [between[:, max(0, end - depth) : end + depth] for end in (columns[0], columns[-1] + 1)]
    is_frame = all(side.any(1).mean() >= MIN_COVERAGE for side in outer)
    return vertical if is_frame else np.zeros_like(mask)


def _corners(horizontal: np.ndarray, vertical: np.ndarray, reach: int) -> np.ndarray:
    """Return where the sides of a frame meet, which belongs to neither of them, bool (h, w)."""
    length = 2 * reach + 1
    along_rows = ndimage.binary_dilation(horizontal, np.ones((2 * WIDENING + 1, length), bool))
    return along_rows & ndimage.binary_dilation(vertical, np.ones((length, 2 * WIDENING + 1), bool))


def _without_crossing(runs: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Widen horizontal runs, and leave out the strokes of a mask that cross them."""
    labels, count = ndimage.label(runs, EIGHT_NEIGHBORS)
    if not count:
        return runs
    length = max(columns.stop - columns.start for _, columns in ndimage.find_objects(labels))
    thickness = int(np.ceil(runs.sum() / (count * length)))
    widened = ndimage.binary_dilation(runs, np.ones((2 * WIDENING + 1, 1), bool))
    return widened & ~ndimage.binary_opening(mask, np.ones((thickness + 2 * WIDENING + 3, 1), bool))


def _thin_runs(mask: np.ndarray, length: int, max_thickness: float) -> np.ndarray:
    """Return the pixels of horizontal rules; where strokes cross them, they are interrupted."""
    thin = mask & ~ndimage.binary_opening(mask, np.ones((int(max_thickness) + 1, 1), bool))
    return _horizontal_runs(thin, length, SLOPES)


def _horizontal_runs(mask: np.ndarray, length: int, slopes: Sequence[float]) -> np.ndarray:
    """Return the pixels of straight runs of at least `length` columns with one of some slopes, bool (h, w)."""
    h, w = mask.shape
    found = np.zeros_like(mask)
    for slope in slopes:
        shift = np.round(slope * (np.arange(w) - w / 2)).astype(int)
        edge = int(np.abs(shift).max())
        starts = [0, *(np.flatnonzero(np.diff(shift)) + 1), w]  # of columns that are shifted alike
        sheared = np.zeros((h + 2 * edge, w), np.uint8)
        areas = []
        for first, last in pairwise(starts):
            top = edge - shift[first]
            areas.append((slice(top, top + h), slice(first, last)))
            sheared[areas[-1]] = mask[:, first:last]
        covered = _covered(_closed(sheared, GAP), length)
        for area in areas:
            found[:, area[1]] |= covered[area] > 0
    return found & (_closed(mask.astype(np.uint8), GAP) > 0)


def _closed(values: np.ndarray, length: int) -> np.ndarray:
    return ndimage.minimum_filter1d(ndimage.maximum_filter1d(values, length, 1), length, 1)


def _covered(values: np.ndarray, length: int) -> np.ndarray:
    """Return the parts of rows of this length that are covered well enough, uint8 (h, w)."""
    length = min(length, values.shape[1])
    coverage = ndimage.uniform_filter1d(values.astype(np.float32), length, 1, mode="constant")
    return ndimage.maximum_filter1d((coverage >= MIN_COVERAGE).astype(np.uint8), length, 1, mode="constant")


def _any_of_squares(mask: np.ndarray, side: int) -> np.ndarray:
    """Return a mask reduced by a whole factor, true where any pixel of a square is."""
    h, w = mask.shape
    padded = np.pad(mask, ((0, -h % side), (0, -w % side)))
    return np.asarray(padded.reshape(len(padded) // side, side, -1, side).any((1, 3)))
