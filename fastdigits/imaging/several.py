"""Every digit of a picture, in reading order."""

from dataclasses import dataclass

import numpy as np

from fastdigits.imaging.ground import on_bright_ground, uneven_ground
from fastdigits.imaging.ink import Ink, find_ink
from fastdigits.imaging.marks import around, find_marks
from fastdigits.imaging.prepared import Box, Prepared
from fastdigits.imaging.sheet import on_sheet
from fastdigits.imaging.working import drawn, enlarged, first_step, found, resized

WORKING_SIDE = 1600
REACH = 0.2  # of the picture's longer side: no stroke of several digits is wider
LOW = 0.4  # of the usual height of a digit; lower marks are dots, dashes and specks
PIECE = 0.65  # of the usual height: a lower mark may be a piece of the digit above or below it
CLOSE = 0.35  # of the usual height between two pieces of a digit, one above the other
TALLEST = 1.5  # of the usual height: pieces do not make a taller digit
WIDE = 1.15  # of its height: a wider mark may be digits that touch
REACH_OF_CUT = 0.35  # of that distance: so far from equal parts a cut may lie
LEAST = 6  # pixels that a digit is wide
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
        return found(drawn(ink, mask, box), enlarged(box, small, picture), start)

    def cell(number: int) -> Cell:
        mask, box = np.isin(places, np.array(groups[number]) + 1), whole[number]
        return Cell(prepared(mask, box), tuple(prepared(*part) for part in _touching(ink, mask, box)))

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
    height = _usual_height(boxes)
    groups = [[number] for number in range(len(boxes))]
    for number in sorted(range(len(boxes)), key=lambda n: boxes[n].height):
        if boxes[number].height < PIECE * height:
            _join(groups, boxes, number, height)
    return [group for group in groups if around([boxes[n] for n in group]).height >= LOW * height]


def _usual_height(boxes: list[Box]) -> float:
    """The height of digits: the median of all marks' heights, each as often as it is high."""
    heights = np.sort([box.height for box in boxes])
    return float(heights[np.searchsorted(np.cumsum(heights), heights.sum() / 2)])


def _join(groups: list[list[int]], boxes: list[Box], number: int, height: float) -> None:
    """Add a low mark to the group that it lies closely above or below, if there is one."""
    piece = boxes[number]
    own = next(group for group in groups if number in group)
    others = [(around([boxes[n] for n in group]), group) for group in groups if group is not own]
    fitting = [
        (_gap_down(piece, box), group)
        for box, group in others
        if _shared(piece, box) >= 0.4 * min(piece.width, box.width)
        and _gap_down(piece, box) <= CLOSE * height
        and around([piece, box]).height <= TALLEST * height
        and max(piece.width, piece.height) >= 0.2 * box.height
    ]
    if fitting:
        _, nearest = min(fitting, key=lambda fit: fit[0])
        nearest.extend(own)
        groups.remove(own)


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


def _touching(ink: Ink, mask: np.ndarray, box: Box) -> list[tuple[np.ndarray, Box]]:
    """A wide mark cut into digits, where it has the least ink near equal parts: (mask, box) of each."""
    count = round(box.width / (PITCH * box.height))
    if box.width < WIDE * box.height or count < 2 or box.width < LEAST * count:
        return []
    amount = np.where(mask, ink.strength, 0)[:, box.left : box.left + box.width].sum(0)
    pitch = box.width / count
    firsts = [round((n - REACH_OF_CUT) * pitch) for n in range(1, count)]
    cuts = [0, *(first + int(amount[first:][: round(2 * REACH_OF_CUT * pitch)].argmin()) for first in firsts)]
    return [_cut(mask, box.left + a, box.left + b) for a, b in zip(cuts, [*cuts[1:], box.width], strict=True)]


def _cut(mask: np.ndarray, left: int, right: int) -> tuple[np.ndarray, Box]:
    part = mask.copy()
    part[:, :left] = part[:, right:] = False
    rows, columns = np.flatnonzero(part.any(1)), np.flatnonzero(part.any(0))
    box = Box(int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1)
    return part, box


def _shared(a: Box, b: Box) -> int:
    """The columns that both boxes have."""
    return min(a.left + a.width, b.left + b.width) - max(a.left, b.left)


def _gap_down(a: Box, b: Box) -> int:
    """The rows between two boxes; below 0 where they overlap."""
    return max(a.top - (b.top + b.height), b.top - (a.top + a.height))


def _beside(a: Box, b: Box) -> float:
    """The rows that both boxes have, as a share of the lower one's."""
    return (min(a.top + a.height, b.top + b.height) - max(a.top, b.top)) / min(a.height, b.height)
