"""Marks: connected pieces of ink, and which of them make a digit."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from fastdigits.imaging.ink import Ink
from fastdigits.imaging.types import Box

EIGHT_NEIGHBOURS = np.ones((3, 3), bool)
EDGE, FAINT_EDGE = 0.5, 0.3  # of a stroke's strength: where it ends, and where it still goes on as one
SEED = 0.5  # of the usual ink: a mark has some pixel that is as strong
GAP = 0.25  # of the longer of two marks, between which they belong together
SPECK = 0.15  # of the longer of two marks; a smaller one must be nearer still
FILLING = 0.8  # of the picture's width and height: a mark of this size is a digit from edge to edge
MAX_COMPONENTS = 300  # marks that make up a digit; of more, those with the most ink
LEANING = 0.45  # of width and height together; what touches the edges along more of it goes on outside


@dataclass(frozen=True, eq=False)
class Marks:
    """Numbered marks: `places` int32 (H, W), 0 where none is, and for each number from 1 its box and its ink.

    `leaning` are those that touch the picture's edges along much of their length, but do not fill it.
    """

    places: np.ndarray
    boxes: list[Box]
    ink: np.ndarray
    leaning: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def extents(self) -> np.ndarray:
        """The longer side of each mark's box."""
        return np.array([max(box.width, box.height) for box in self.boxes], np.float32)

    def mask(self, chosen: np.ndarray) -> np.ndarray:
        """Where the chosen marks, bool (n,), are: bool (H, W)."""
        return np.concatenate([[False], chosen])[self.places]


def find_marks(ink: Ink) -> Marks:
    """The marks of a picture's ink, but for those that are nowhere as strong as ink."""
    places, count = ndimage.label(ink.strength > FAINT_EDGE, EIGHT_NEIGHBOURS)
    seeds = np.zeros(count + 1, bool)
    seeds[places[ink.amount >= SEED * ink.usual]] = True
    seeds[0] = False
    places = np.where(seeds, np.cumsum(seeds), 0).astype(np.int32)[places]
    places[ink.strength <= EDGE] = 0
    found = ndimage.find_objects(places)
    boxes = [_box(place) for place in found]
    totals = np.bincount(places.reshape(-1), ink.amount.reshape(-1), len(boxes) + 1)[1:]
    edge = np.concatenate([places[0], places[-1], places[1:-1, 0], places[1:-1, -1]])
    touching = np.bincount(edge, minlength=len(boxes) + 1)[1:]
    sizes = np.array([(box.height, box.width) for box in boxes]).reshape(-1, 2)
    filling = (sizes >= FILLING * np.array(places.shape)).all(1)
    return Marks(places, boxes, totals, (touching > LEANING * sizes.sum(1)) & ~filling)


def of_one_digit(marks: Marks) -> np.ndarray:
    """Which marks make up the digit, bool (n,): the main one with all that lie near it, or near these, and so on."""
    extents = marks.extents
    inner = ~marks.leaning & (extents >= 0.2 * extents.max())
    candidates = ~marks.leaning | ~inner.any()
    candidates[np.argsort(-marks.ink, kind="stable")[MAX_COMPONENTS:]] = False
    main = int(np.where(inner, marks.ink, 0).argmax() if inner.any() else marks.ink.argmax())
    sides = sides_of(marks.boxes)
    chosen, seen = np.zeros(len(marks), bool), np.array([main])
    while len(seen):
        chosen[seen] = True
        near = np.any([_belonging(sides, extents, number) for number in seen], axis=0)
        seen = np.flatnonzero(near & candidates & ~chosen)
    return chosen


def around(boxes: list[Box]) -> Box:
    """The box around several."""
    left, top = min(box.left for box in boxes), min(box.top for box in boxes)
    right, bottom = max(box.left + box.width for box in boxes), max(box.top + box.height for box in boxes)
    return Box(left, top, right - left, bottom - top)


def sides_of(boxes: list[Box]) -> np.ndarray:
    """The left, top, right and bottom sides of boxes, int (4, n)."""
    left, top, width, height = np.array(boxes).reshape(-1, 4).T
    return np.stack([left, top, left + width, top + height])


def gaps(sides: np.ndarray, number: int) -> np.ndarray:
    """The pixels between a box and each of several, across and down, int (2, n); below 0 where they overlap."""
    before, after = sides[:2], sides[2:]
    return np.maximum(before - after[:, [number]], before[:, [number]] - after)


def _belonging(sides: np.ndarray, extents: np.ndarray, number: int) -> np.ndarray:
    """Which marks are no specks beside a mark, and near it; a small one must be as near as it is long."""
    small, large = np.minimum(extents, extents[number]), np.maximum(extents, extents[number])
    gap = np.maximum(gaps(sides, number).max(0), 0)
    return gap <= np.where(small < SPECK * large, small, GAP * large)


def _box(place: tuple[slice, slice] | None) -> Box:
    if place is None:
        return Box(0, 0, 0, 0)
    rows, columns = place
    return Box(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
