"""Every digit of a picture, in reading order."""

from dataclasses import dataclass

import numpy as np

from fastdigits.imaging.background import on_bright_ground, uneven_ground
from fastdigits.imaging.components import around, find_marks, gaps, sides_of
from fastdigits.imaging.ink import Ink, find_ink
from fastdigits.imaging.mnist_format import drawn, enlarged, first_step, found, resized
from fastdigits.imaging.paper import on_sheet
from fastdigits.imaging.types import Box, Prepared

WORKING_SIDE = 1600
REACH = 0.2  # of the picture's longer side: no stroke of several digits is wider
LOW = 0.4  # of the usual height of a digit; lower marks are dots, dashes and specks
PIECE = 0.65  # of the usual height: a lower mark may be a piece of the digit above or below it
CLOSE = 0.35  # of the usual height between two pieces of a digit, one above the other
TALLEST = 1.5  # of the usual height: pieces do not make a taller digit
SHARED = 0.4  # of the narrower one's columns that pieces of a digit share
MIN_PIECE = 0.2  # of the digit's height: a shorter piece is a speck
WIDE = 1.15  # of its height: a wider mark may be digits that touch
REACH_OF_CUT = 0.35  # of that distance: so far from equal parts a cut may lie
MIN_SIDE = 6  # pixels that a digit is high, and that a digit which touches others is wide
GONE = 2**30  # where a box is that has joined another
PITCH = 0.7  # of the height: the usual distance between digits that touch


@dataclass(frozen=True, eq=False)
class Cell:
    """A mark that stands by itself, as one digit, and where it is wide, as the digits that may touch in it."""

    whole: Prepared
    parts: tuple[Prepared, ...] = ()


def find_lines(picture: np.ndarray) -> list[list[Prepared]]:
    """The digits of a picture uint8 (H, W, 3) or (H, W), line by line from the top, each from left to right."""
    return [[cell.whole for cell in line] for line in find_cells(picture)]


def find_cells(picture: np.ndarray) -> list[list[Cell]]:
    """The same, with the digits that may touch."""
    small = resized(picture, WORKING_SIDE)
    ink, places, boxes = _marks(on_bright_ground(small))
    groups = _as_digits(boxes)
    whole = [around([boxes[number] for number in group]) for group in groups]
    start = first_step(small)

    def prepared(mask: np.ndarray, box: Box) -> Prepared:
        return found(drawn(ink.strength[box.slices], mask), enlarged(box, small, picture), start)

    def cell(number: int) -> Cell:
        box = whole[number]
        mask = np.isin(places[box.slices], np.array(groups[number]) + 1)
        parts = _touching(ink.strength[box.slices], mask, box)
        return Cell(prepared(mask, box), tuple(prepared(*part) for part in parts))

    return [[cell(number) for number in line] for line in _in_lines(whole)]


def _marks(colours: np.ndarray, within_sheet: bool = True) -> tuple[Ink, np.ndarray, list[Box]]:
    """The ink, the numbers from 1 of its marks (H, W), and their boxes; those that go on outside are left out."""
    ink = find_ink(colours, uneven_ground(colours, REACH, beyond=True))
    marks = find_marks(ink)
    if within_sheet and len(marks):
        largest = marks.mask(np.arange(len(marks)) == marks.ink.argmax())
        if (sheet := on_sheet(colours, largest)) is not None:
            return _marks(on_bright_ground(sheet), within_sheet=False)
    kept = np.flatnonzero(~marks.leaning)
    numbers = np.zeros(len(marks) + 1, np.int32)
    numbers[kept + 1] = np.arange(1, len(kept) + 1)
    return ink, numbers[marks.places], [marks.boxes[n] for n in kept]


def _as_digits(boxes: list[Box]) -> list[list[int]]:
    """The numbers of the boxes that make up each digit, without dots and dashes."""
    if not boxes:
        return []
    height, groups, sides = _usual_height(boxes), [[number] for number in range(len(boxes))], sides_of(boxes)
    for number in np.argsort([box.height for box in boxes], kind="stable"):
        if boxes[number].height < PIECE * height and (above := _joined(sides, number, height)) is not None:
            groups[above] += groups[number]
            sides[:2, above] = np.minimum(sides[:2, above], sides[:2, number])
            sides[2:, above] = np.maximum(sides[2:, above], sides[2:, number])
            groups[number], sides[:, number] = [], GONE
    lowest = max(LOW * height, MIN_SIDE)
    return [group for group in groups if group and around([boxes[n] for n in group]).height >= lowest]


def _usual_height(boxes: list[Box]) -> float:
    """The height of digits: the median of all marks' heights, each as often as it is high."""
    heights = np.sort([box.height for box in boxes])
    return float(heights[np.searchsorted(np.cumsum(heights), heights.sum() / 2)])


def _joined(sides: np.ndarray, number: int, height: float) -> int | None:
    """The nearest of the boxes that a low mark lies closely above or below, if there is one: they make up a digit."""
    widths, heights = sides[2] - sides[0], sides[3] - sides[1]
    across, down = gaps(sides, number)
    both = np.maximum(sides[3], sides[3, number]) - np.minimum(sides[1], sides[1, number])
    fitting = (
        (-across >= SHARED * np.minimum(widths, widths[number]))
        & (down <= CLOSE * height)
        & (both <= TALLEST * height)
        & (max(widths[number], heights[number]) >= MIN_PIECE * heights)
    )
    fitting[number] = False
    return int(np.where(fitting, down, np.iinfo(down.dtype).max).argmin()) if fitting.any() else None


def _in_lines(boxes: list[Box]) -> list[list[int]]:
    """The numbers of the boxes line by line: a box joins the line whose last one is beside it."""
    lines: list[list[int]] = []
    for number in sorted(range(len(boxes)), key=lambda n: boxes[n].left):
        beside = [(_beside(boxes[line[-1]], boxes[number]), line) for line in lines]
        share, line = max(beside, key=lambda pair: pair[0], default=(0.0, []))
        if share >= 0.4:
            line.append(number)
        else:
            lines.append([number])
    return sorted(lines, key=lambda line: np.mean([boxes[n].top + boxes[n].height / 2 for n in line]))


def _touching(strength: np.ndarray, mask: np.ndarray, box: Box) -> list[tuple[np.ndarray, Box]]:
    """A wide mark, all (h, w) of its box, cut into digits where it has the least ink near equal parts: of each the
    mask and the box.
    """
    count = round(box.width / (PITCH * box.height))
    if box.width < WIDE * box.height or count < 2 or box.width < MIN_SIDE * count:
        return []
    amount = np.where(mask, strength, 0).sum(0)
    pitch = box.width / count
    firsts = [round((n - REACH_OF_CUT) * pitch) for n in range(1, count)]
    cuts = [0, *(first + int(amount[first:][: round(2 * REACH_OF_CUT * pitch)].argmin()) for first in firsts)]
    return [_cut(mask, box, a, b) for a, b in zip(cuts, [*cuts[1:], box.width], strict=True)]


def _cut(mask: np.ndarray, box: Box, first: int, end: int) -> tuple[np.ndarray, Box]:
    part = mask[:, first:end]
    rows, columns = np.flatnonzero(part.any(1)), np.flatnonzero(part.any(0))
    inner = Box(int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1)
    return part[inner.slices], inner._replace(left=box.left + first + inner.left, top=box.top + inner.top)


def _beside(a: Box, b: Box) -> float:
    """The rows that both boxes have, as a share of the lower one's."""
    return (min(a.top + a.height, b.top + b.height) - max(a.top, b.top)) / min(a.height, b.height)
