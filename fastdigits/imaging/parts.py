"""Join the parts of a digit whose strokes do not touch, such as a 5 and the bar on top of it."""

from dataclasses import dataclass

import numpy as np

from fastdigits.imaging.components import Components, box_edges, typical_height
from fastdigits.imaging.types import Box

# As fractions of the typical height of a component
MIN_PART_WIDTH, MIN_PART_HEIGHT = 0.3, 0.5  # a part reaches one of them; specks, dots and commas do not
MAX_DISTANCE = 2.0  # from a part to its neighbors in the same row
# As fractions of the height of two parts together
MAX_GAP = 0.2  # between them, or by which they overlap
MAX_FOOT_GAP, MAX_FOOT_WIDTH = 0.12, 0.9  # of a low part below another; otherwise it is an underline
MIN_WIDTH, MAX_WIDTH = 0.3, 1.3
# The same for the two halves of a digit without neighbors, which could be two numbers above each other
MAX_GAP_OF_HALVES = 0.1
MIN_WIDTH_OF_HALVES, MAX_WIDTH_OF_HALVES = 0.45, 0.8
# As fractions of other lengths
MAX_HEIGHT = 1.4  # of two parts together, relative to their neighbors
MIN_SHARED_COLUMNS = 0.3  # of the narrower part's width
MAX_UNDERLINE_HEIGHT = 0.25  # of the height of the part above it
MIN_FLATNESS = 0.8  # width of half a digit, relative to its height
MIN_INK = 0.8  # of the two halves of the only digit of a picture
ROUNDS = 2  # in each of which a part is joined with at most one other


def join_parts(components: Components, writing: np.ndarray) -> Components:
    """Join components above each other that nearly touch and together are about as high as their neighbors.

    Parameters
    ----------
    components : Components
    writing : int (n,)
        Indices of the components that may be writing; the others stay as they are.
    """
    if len(writing) < 2:
        return components
    edges = box_edges(components.boxes)
    height = typical_height((edges[3] - edges[1])[writing])
    parts = _Parts(edges, components.ink.astype(float), components.ink[writing].sum(), height)
    vertical, horizontal = (_facing(labels, writing) for labels in (components.labels.T, components.labels))
    group = np.arange(len(components))
    for _ in range(ROUNDS):
        first, second = _nearest(parts, group[vertical], group[horizontal])
        if not len(first):
            break
        parts.join(first, second)
        target = np.arange(len(group))
        target[second] = first
        group = target[group]
    return _grouped(components, group, edges)


@dataclass(frozen=True, eq=False)
class _Parts:
    """The left, top, right and bottom edges of components, int (4, n), and their ink, (n,).

    `total` is the ink of all writing, and `typical` the typical height of a component.
    """

    edges: np.ndarray
    ink: np.ndarray
    total: float
    typical: float

    @property
    def widths(self) -> np.ndarray:
        return np.asarray(self.edges[2] - self.edges[0])

    @property
    def heights(self) -> np.ndarray:
        return np.asarray(self.edges[3] - self.edges[1])

    def join(self, first: np.ndarray, second: np.ndarray) -> None:
        """Extend each component of `first` by that of `second`."""
        self.edges[:2, first] = np.minimum(self.edges[:2, first], self.edges[:2, second])
        self.edges[2:, first] = np.maximum(self.edges[2:, first], self.edges[2:, second])
        self.ink[first] += self.ink[second]


def _facing(labels: np.ndarray, writing: np.ndarray) -> np.ndarray:
    """Return the pairs of components, int (2, n), of which one follows the other in a row of `labels`.

    Only background lies between them, so that there are no more pairs than pixels of ink.
    """
    rows = np.ascontiguousarray(labels).reshape(-1)
    at = np.flatnonzero(rows)
    y, numbers = at // labels.shape[1], rows[at].astype(np.int64)
    follows = np.flatnonzero((y[1:] == y[:-1]) & (numbers[1:] != numbers[:-1]))
    count = int(numbers.max(initial=0)) + 1
    pairs = np.stack(np.divmod(np.unique(numbers[follows] * count + numbers[follows + 1]), count)) - 1
    return np.asarray(pairs[:, np.isin(pairs, writing).all(0)])


def _nearest(parts: _Parts, vertical: np.ndarray, horizontal: np.ndarray) -> np.ndarray:
    """Return the pairs of components, int (2, n), that belong together and of which each is the nearest of the other.

    Parameters
    ----------
    parts : _Parts
    vertical, horizontal : int (2, n)
        Pairs of components that face each other, the upper or left one first.
    """
    pairs = vertical[:, _belong(parts, vertical, _highest_neighbors(parts, vertical, horizontal))]
    upper, lower = pairs
    order = np.argsort(parts.edges[1, lower] - parts.edges[3, upper], kind="stable")
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order))
    best = np.full(parts.edges.shape[1], len(order))
    for components in pairs:
        np.minimum.at(best, components, rank)
    return np.asarray(pairs[:, (best[pairs] == rank).all(0)])


def _highest_neighbors(parts: _Parts, vertical: np.ndarray, horizontal: np.ndarray) -> np.ndarray:
    """Return the height of the highest neighbor of each component in its row, (n,); 0 if it has none."""
    n = parts.edges.shape[1]
    left, right = horizontal
    is_near = parts.edges[0, right] - parts.edges[2, left] <= MAX_DISTANCE * parts.typical
    above_each_other = np.isin(*(pairs.min(0) * n + pairs.max(0) for pairs in (horizontal, vertical)))
    left, right = horizontal[:, is_near & ~above_each_other]
    highest = np.zeros(n)
    np.maximum.at(highest, left, parts.heights[right])
    np.maximum.at(highest, right, parts.heights[left])
    return highest


def _belong(parts: _Parts, pairs: np.ndarray, highest: np.ndarray) -> np.ndarray:
    """Return which pairs of components, int (2, n), are an upper and a lower part of the same digit.

    Two lines that lie close together are not joined, since two digits are higher than the neighbors of each. A digit
    without neighbors may consist of two flat halves, if these are all that is written.
    """
    upper, lower = parts.edges[:, pairs[0]], parts.edges[:, pairs[1]]
    widths, heights = parts.widths[pairs], parts.heights[pairs]
    width, height = np.maximum(upper[2:], lower[2:]) - np.minimum(upper[:2], lower[:2])
    gap = lower[1] - upper[3]
    shared = np.minimum(upper[2], lower[2]) - np.maximum(upper[0], lower[0])
    is_foot = (gap <= MAX_FOOT_GAP * height) & (width <= MAX_FOOT_WIDTH * height)
    is_underline = (heights[1] < MAX_UNDERLINE_HEIGHT * heights[0]) & ~is_foot
    is_near = np.abs(gap) <= MAX_GAP * height
    overlaps = shared >= MIN_SHARED_COLUMNS * widths.min(0)
    is_wide, is_high = widths >= MIN_PART_WIDTH * parts.typical, heights >= MIN_PART_HEIGHT * parts.typical
    are_strokes = (is_wide | is_high).all(0)
    has_shape = (width >= MIN_WIDTH * height) & (width <= MAX_WIDTH * height)
    are_flat = (widths >= MIN_FLATNESS * heights).all(0) & (gap <= MAX_GAP_OF_HALVES * height)
    are_halves = are_flat & (width >= MIN_WIDTH_OF_HALVES * height) & (width <= MAX_WIDTH_OF_HALVES * height)
    has_neighbor = highest[pairs] > 0
    is_alone = ~has_neighbor.any(0) & (parts.ink[pairs].sum(0) >= MIN_INK * parts.total)
    usual = np.where(has_neighbor, np.minimum(highest[pairs], parts.typical), parts.typical).min(0)
    has_height = (height <= MAX_HEIGHT * usual) | (are_halves & is_alone)
    is_digit = is_near & overlaps & are_strokes & has_shape & has_height & ~is_underline
    return np.asarray(is_digit & (pairs[0] != pairs[1]))


def _grouped(components: Components, group: np.ndarray, edges: np.ndarray) -> Components:
    """Return components in which those of the same group, int (n,), are one with the edges of the group's number."""
    kept, numbers = np.unique(group, return_inverse=True)
    if len(kept) == len(group):
        return components
    labels = np.concatenate([[0], numbers + 1]).astype(np.int32)[components.labels]
    boxes = [Box(left, top, right - left, bottom - top) for left, top, right, bottom in edges[:, kept].T.tolist()]
    ink = np.bincount(numbers, components.ink, len(kept))
    clipped = np.bincount(numbers, components.clipped, len(kept)) > 0
    return Components(labels, boxes, ink, clipped)
