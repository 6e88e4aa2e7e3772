"""Prepare every digit of a picture, in reading order."""

from dataclasses import dataclass

import numpy as np

from fastdigits.errors import UserError
from fastdigits.imaging.background import uneven_background, with_bright_background
from fastdigits.imaging.components import bounding_box, box_edges, box_gaps, find_components
from fastdigits.imaging.ink import InkMap, find_ink
from fastdigits.imaging.mnist_format import picture_step, scale_box, scale_picture, to_mnist_format, with_steps
from fastdigits.imaging.paper import isolate_paper
from fastdigits.imaging.types import Box, Prepared

MAX_SIDE = 1600  # pixels of the working copy of a picture
MAX_STROKE = 0.2  # maximum stroke width, as a fraction of the picture's longer side
MIN_SIDE = 6  # pixels of the height of a digit, and of the width of each digit in a wide region
# As fractions of the typical height of a digit
MIN_HEIGHT = 0.4  # of a digit; lower components are dots, dashes and specks
MAX_FRAGMENT_HEIGHT = 0.65  # of a fragment, which may belong to the digit above or below it
MAX_FRAGMENT_GAP = 0.35  # vertical, between two fragments of a digit
MAX_JOINED_HEIGHT = 1.5  # of a digit with its fragments
# As fractions of other lengths
MIN_FRAGMENT_LENGTH = 0.2  # of the height of the component that it joins; a shorter one is a speck
MIN_SHARED_COLUMNS = 0.4  # of the narrower fragment's width, so that two belong to one digit
MIN_SHARED_ROWS = 0.4  # of the lower box's height, so that two stand in the same line
MIN_TOUCHING_WIDTH = 1.15  # of its height; a wider region may be digits that touch
PITCH = 0.7  # of their height: the typical distance between digits that touch
MAX_CUT_SHIFT = 0.35  # of that distance: the maximum distance of a cut from equal parts
FAR_AWAY = 2**30  # pixels; position of a box that has been joined to another
# Limits of the work for one picture
MAX_COMPONENTS = 20_000  # only those with the most ink are considered; the others are specks
MAX_SHAPES = 10_000  # regions, and the parts that wide ones are cut into
MAX_COVERAGE = 20  # total area of all regions' boxes, relative to that of the picture; boxes may overlap


@dataclass(frozen=True, eq=False)
class Region:
    """An isolated part of a picture.

    Attributes
    ----------
    whole : Prepared
        The region as one digit.
    parts : tuple of Prepared
        The region cut into digits that may touch, from left to right; empty if it is not wide.
    """

    whole: Prepared
    parts: tuple[Prepared, ...] = ()


@dataclass(frozen=True, eq=False)
class Sheet:
    """The regions of a picture, which are prepared one by one.

    Attributes
    ----------
    lines : list of list of int
        The indices of the regions, line by line, from left to right.
    """

    lines: list[list[int]]
    _picture: np.ndarray
    _scaled: np.ndarray
    _strength: np.ndarray
    _labels: np.ndarray
    _groups: list[list[int]]
    _boxes: list[Box]

    def __len__(self) -> int:
        return len(self._boxes)

    def region(self, index: int) -> Region:
        """Prepare a region."""
        box = self._boxes[index]
        labels, strength = self._labels[box.slices], self._strength[box.slices]
        mask = _is_any_of(labels, self._groups[index])
        parts = _cut_touching(strength, mask, box)
        return Region(self._prepared(mask, box), tuple(self._prepared(*part) for part in parts))

    def _prepared(self, mask: np.ndarray, box: Box) -> Prepared:
        image = to_mnist_format(self._strength[box.slices], mask)
        return with_steps(image, scale_box(box, self._scaled, self._picture), picture_step(self._scaled))


def find_lines(picture: np.ndarray) -> list[list[Prepared]]:
    """Prepare the digits of a picture uint8 (H, W, 3) or (H, W) line by line, each from left to right."""
    return [[region.whole for region in line] for line in find_regions(picture)]


def find_regions(picture: np.ndarray) -> list[list[Region]]:
    """Find the same digits as `find_lines`, and also cut wide regions into digits that may touch."""
    sheet = find_sheet(picture)
    return [[sheet.region(index) for index in line] for line in sheet.lines]


def find_sheet(picture: np.ndarray) -> Sheet:
    """Find the regions of a picture uint8 (H, W, 3) or (H, W), which the result prepares one by one.

    Raises
    ------
    UserError
        If there are more than MAX_SHAPES regions and parts of regions, or their boxes cover the picture more than
        MAX_COVERAGE times.
    """
    scaled = scale_picture(picture, MAX_SIDE)
    ink, labels, boxes = _labelled_ink(with_bright_background(scaled))
    groups = _group_fragments(boxes)
    regions = [bounding_box([boxes[index] for index in group]) for group in groups]
    _check_work(regions, labels.size)
    return Sheet(_order_in_lines(regions), picture, scaled, ink.strength, labels, groups, regions)


def _check_work(regions: list[Box], pixels: int) -> None:
    shapes = sum(1 + _count_of_parts(box) for box in regions)
    if shapes > MAX_SHAPES:
        raise UserError(
            f"the picture shows {shapes:,} shapes, more than the limit of {MAX_SHAPES:,}; cut it into smaller pictures."
        )
    if sum(box.width * box.height for box in regions) > MAX_COVERAGE * pixels:
        raise UserError("the picture is covered by shapes within shapes, which are no digits; use another picture.")


def _is_any_of(labels: np.ndarray, group: list[int]) -> np.ndarray:
    """Return which labels, from 1, belong to a group of indices, from 0."""
    return labels == group[0] + 1 if len(group) == 1 else np.isin(labels, np.array(group) + 1)


def _labelled_ink(bright: np.ndarray, search_paper: bool = True) -> tuple[InkMap, np.ndarray, list[Box]]:
    """Return the ink, the labels (H, W) of its components from 1, and their boxes; omit clipped components."""
    ink = find_ink(bright, uneven_background(bright, MAX_STROKE, extend_edges=True))
    components = find_components(ink)
    if search_paper and len(components):
        largest = components.mask(np.arange(len(components)) == components.ink.argmax())
        if (paper := isolate_paper(bright, largest)) is not None:
            return _labelled_ink(with_bright_background(paper), search_paper=False)
    kept = np.flatnonzero(~components.clipped & (components.lengths > 0))  # all pixels of some may be faint
    if len(kept) > MAX_COMPONENTS:
        kept = np.sort(kept[np.argsort(-components.ink[kept], kind="stable")[:MAX_COMPONENTS]])
    new_labels = np.zeros(len(components) + 1, np.int32)
    new_labels[kept + 1] = np.arange(1, len(kept) + 1)
    return ink, new_labels[components.labels], [components.boxes[index] for index in kept]


def _group_fragments(boxes: list[Box]) -> list[list[int]]:
    """Group the indices of boxes that make up one digit; omit dots and dashes."""
    if not boxes:
        return []
    height, groups, edges = _typical_height(boxes), [[index] for index in range(len(boxes))], box_edges(boxes)
    by_top = np.argsort(edges[1], kind="stable")
    tops = edges[1, by_top]
    for index in np.argsort([box.height for box in boxes], kind="stable"):
        if boxes[index].height >= MAX_FRAGMENT_HEIGHT * height:
            continue
        # Boxes only grow, so all that may be joined to this one had their top in these rows from the start
        joined_rows = MAX_JOINED_HEIGHT * height
        first, last = np.searchsorted(tops, (edges[3, index] - joined_rows - 1, edges[1, index] + joined_rows + 1))
        nearby = np.sort(by_top[first:last])
        nearby = nearby[(edges[0, nearby] < edges[2, index]) & (edges[2, nearby] > edges[0, index])]
        target = _nearest_above_or_below(edges[:, nearby], int(np.searchsorted(nearby, index)), height)
        if target is not None:
            target = int(nearby[target])
            groups[target] += groups[index]
            edges[:2, target] = np.minimum(edges[:2, target], edges[:2, index])
            edges[2:, target] = np.maximum(edges[2:, target], edges[2:, index])
            groups[index], edges[:, index] = [], FAR_AWAY
    min_height = max(MIN_HEIGHT * height, MIN_SIDE)
    return [group for group in groups if group and bounding_box([boxes[n] for n in group]).height >= min_height]


def _typical_height(boxes: list[Box]) -> float:
    """Return the median of the boxes' heights, weighted by height, so that many specks do not lower it."""
    heights = np.sort([box.height for box in boxes])
    return float(heights[np.searchsorted(np.cumsum(heights), heights.sum() / 2)])


def _nearest_above_or_below(edges: np.ndarray, index: int, height: float) -> int | None:
    """Return the nearest box that a fragment can be joined to, or None."""
    widths, heights = edges[2] - edges[0], edges[3] - edges[1]
    horizontal_gaps, vertical_gaps = box_gaps(edges, index)
    joined_heights = np.maximum(edges[3], edges[3, index]) - np.minimum(edges[1], edges[1, index])
    fits = (
        (-horizontal_gaps >= MIN_SHARED_COLUMNS * np.minimum(widths, widths[index]))
        & (vertical_gaps <= MAX_FRAGMENT_GAP * height)
        & (joined_heights <= MAX_JOINED_HEIGHT * height)
        & (max(widths[index], heights[index]) >= MIN_FRAGMENT_LENGTH * heights)
    )
    fits[index] = False
    return int(np.where(fits, vertical_gaps, np.iinfo(vertical_gaps.dtype).max).argmin()) if fits.any() else None


def _cut_touching(strength: np.ndarray, mask: np.ndarray, box: Box) -> list[tuple[np.ndarray, Box]]:
    """Cut a wide region into digits, at the columns with the least ink near equal parts.

    `strength` and `mask` (h, w) cover the box. Return the mask and the box of each digit, or an empty list if the
    region is not wide.
    """
    count = _count_of_parts(box)
    if not count:
        return []
    column_ink = np.where(mask, strength, 0).sum(0)
    pitch = box.width / count
    starts = [round((n - MAX_CUT_SHIFT) * pitch) for n in range(1, count)]
    window = round(2 * MAX_CUT_SHIFT * pitch)
    cuts = [0, *(start + int(column_ink[start:][:window].argmin()) for start in starts)]
    spans = zip(cuts, [*cuts[1:], box.width], strict=True)
    return [_crop_columns(mask, box, *span) for span in spans if mask[:, slice(*span)].any()]


def _count_of_parts(box: Box) -> int:
    """Return the number of digits that a region may consist of; 0 if it is not wide."""
    count = round(box.width / (PITCH * box.height))
    return 0 if box.width < MIN_TOUCHING_WIDTH * box.height or count < 2 or box.width < MIN_SIDE * count else count


def _crop_columns(mask: np.ndarray, box: Box, start: int, stop: int) -> tuple[np.ndarray, Box]:
    part = mask[:, start:stop]
    rows, columns = np.flatnonzero(part.any(1)), np.flatnonzero(part.any(0))
    inner = Box(int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1)
    return part[inner.slices], inner._replace(left=box.left + start + inner.left, top=box.top + inner.top)


def _order_in_lines(boxes: list[Box]) -> list[list[int]]:
    """Return the indices of boxes line by line, from left to right; a box joins the line whose last box it overlaps."""
    lines: list[list[int]] = []
    last = np.zeros((2, len(boxes)))  # top and bottom of the last box of each line
    for index in sorted(range(len(boxes)), key=lambda n: boxes[n].left):
        top, bottom = boxes[index].top, boxes[index].top + boxes[index].height
        tops, bottoms = last[:, : len(lines)]
        shared_rows = (np.minimum(bottoms, bottom) - np.maximum(tops, top)) / np.minimum(bottoms - tops, bottom - top)
        line = int(shared_rows.argmax()) if lines else 0
        if lines and shared_rows[line] >= MIN_SHARED_ROWS:
            lines[line].append(index)
        else:
            line = len(lines)
            lines.append([index])
        last[:, line] = top, bottom
    return sorted(lines, key=lambda line: np.mean([boxes[n].top + boxes[n].height / 2 for n in line]))
