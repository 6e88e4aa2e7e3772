"""Find the connected components of ink, and those that make up a digit."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from fastdigits.imaging.ink import InkMap
from fastdigits.imaging.types import Box

EIGHT_NEIGHBORS = np.ones((3, 3), bool)
STROKE_THRESHOLD = 0.5  # of the strength of ink: the edge of a stroke
FAINT_THRESHOLD = 0.3  # of the strength of ink: connects the parts of a stroke
SEED_CONTRAST = 0.5  # of the typical contrast of ink: reached by at least one pixel of a component
MIN_FULL_SIZE = 0.8  # fraction of the picture's width and height that a digit must cover to fill the picture
MAX_EDGE_CONTACT = 0.45  # of width + height; a component with more pixels at the edges continues outside the picture
MAX_COMPONENTS = 300  # of a digit; only those with the most ink are considered
MIN_MAIN_LENGTH = 0.2  # of the main component of a digit, relative to the longest component
MAX_GAP = 0.25  # between two components of the same digit, relative to the longer one
SPECK_LENGTH = 0.15  # relative to the longer of two components; a shorter speck must be as near as it is long


@dataclass(frozen=True, eq=False)
class Components:
    """Connected components of ink.

    Attributes
    ----------
    labels : int32 (H, W)
        From 1 to n; 0 on the background.
    boxes : list of Box
        Bounding boxes of the n components.
    ink : float (n,)
        Sum of the contrast over each component.
    clipped : bool (n,)
        Whether a component touches the picture's edges along much of its length without filling the picture: it
        continues outside.
    """

    labels: np.ndarray
    boxes: list[Box]
    ink: np.ndarray
    clipped: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def lengths(self) -> np.ndarray:
        """The longer side of each component's box, float32 (n,)."""
        return np.array([max(box.width, box.height) for box in self.boxes], np.float32)

    def mask(self, selected: np.ndarray) -> np.ndarray:
        """Return the mask bool (H, W) of the selected components, bool (n,)."""
        return np.concatenate([[False], selected])[self.labels]


def find_components(ink: InkMap) -> Components:
    """Label the connected components of ink, by thresholding with hysteresis.

    Components are connected above FAINT_THRESHOLD and must reach SEED_CONTRAST. Their pixels below STROKE_THRESHOLD
    are removed afterwards, so one component may consist of several pieces.
    """
    labels, count = ndimage.label(ink.strength > FAINT_THRESHOLD, EIGHT_NEIGHBORS)
    has_seed = np.zeros(count + 1, bool)
    has_seed[labels[ink.contrast >= SEED_CONTRAST * ink.typical_contrast]] = True
    has_seed[0] = False
    labels = np.where(has_seed, np.cumsum(has_seed), 0).astype(np.int32)[labels]
    labels[ink.strength <= STROKE_THRESHOLD] = 0
    boxes = [_box(slices) for slices in ndimage.find_objects(labels)]
    sums = np.bincount(labels.reshape(-1), ink.contrast.reshape(-1), len(boxes) + 1)[1:]
    edge = np.concatenate([labels[0], labels[-1], labels[1:-1, 0], labels[1:-1, -1]])
    edge_pixels = np.bincount(edge, minlength=len(boxes) + 1)[1:]
    sizes = np.array([(box.height, box.width) for box in boxes]).reshape(-1, 2)
    fills_picture = (sizes >= MIN_FULL_SIZE * np.array(labels.shape)).all(1)
    return Components(labels, boxes, sums, (edge_pixels > MAX_EDGE_CONTACT * sizes.sum(1)) & ~fills_picture)


def select_digit(components: Components) -> np.ndarray:
    """Select the components of one digit, bool (n,).

    Start from the component with the most ink that is neither clipped nor short, and add all that are adjacent to
    one selected before.
    """
    lengths = components.lengths
    eligible = ~components.clipped & (lengths >= MIN_MAIN_LENGTH * lengths.max())
    allowed = ~components.clipped | ~eligible.any()
    allowed[np.argsort(-components.ink, kind="stable")[MAX_COMPONENTS:]] = False
    main = int(np.where(eligible, components.ink, 0).argmax() if eligible.any() else components.ink.argmax())
    edges = box_edges(components.boxes)
    selected, added = np.zeros(len(components), bool), np.array([main])
    while len(added):
        selected[added] = True
        adjacent = np.any([_adjacent(edges, lengths, index) for index in added], axis=0)
        added = np.flatnonzero(adjacent & allowed & ~selected)
    return selected


def holes(mask: np.ndarray) -> np.ndarray:
    """Return the pixels outside of a mask, bool (H, W), from which no path leads to the edges around it."""
    labels, count = ndimage.label(~mask)
    is_hole = np.ones(count + 1, bool)
    is_hole[0] = False  # the mask itself
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        is_hole[edge] = False
    return is_hole[labels]


def bounding_box(boxes: list[Box]) -> Box:
    """Return the bounding box of several boxes."""
    left, top = min(box.left for box in boxes), min(box.top for box in boxes)
    right, bottom = max(box.left + box.width for box in boxes), max(box.top + box.height for box in boxes)
    return Box(left, top, right - left, bottom - top)


def box_edges(boxes: list[Box]) -> np.ndarray:
    """Return the left, top, right and bottom edges of boxes, int (4, n)."""
    left, top, width, height = np.array(boxes).reshape(-1, 4).T
    return np.stack([left, top, left + width, top + height])


def typical_height(heights: np.ndarray) -> float:
    """Return the median of heights, weighted by height, so that many specks do not lower it."""
    heights = np.sort(heights)
    return float(heights[np.searchsorted(np.cumsum(heights), heights.sum() / 2)]) if len(heights) else 0.0


def box_gaps(edges: np.ndarray, index: int) -> np.ndarray:
    """Return the horizontal and vertical gaps from one box to all, int (2, n), in pixels; negative if they overlap."""
    start, end = edges[:2], edges[2:]
    return np.maximum(start - end[:, [index]], start[:, [index]] - end)


def _adjacent(edges: np.ndarray, lengths: np.ndarray, index: int) -> np.ndarray:
    """Return which components, bool (n,), are near enough to one to belong to the same digit."""
    shorter, longer = np.minimum(lengths, lengths[index]), np.maximum(lengths, lengths[index])
    gap = np.maximum(box_gaps(edges, index).max(0), 0)
    return gap <= np.where(shorter < SPECK_LENGTH * longer, shorter, MAX_GAP * longer)


def _box(slices: tuple[slice, slice] | None) -> Box:
    if slices is None:  # no pixel has this label
        return Box(0, 0, 0, 0)
    rows, columns = slices
    return Box(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
