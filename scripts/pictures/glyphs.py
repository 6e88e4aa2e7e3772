"""Shapes of digits and letters, as distances from which a pen of any width draws them at any size."""

from functools import cached_property

import numpy as np
from scipy import ndimage

from pictures.alphabet import Stroke

SIDE = 160  # of the fields below
BOX = 100  # of the longer side of the glyph in them; distances are parts of it
HALF_INK = 110  # of an MNIST pixel, 0 to 255


class Glyph:
    """Distances float32 (SIDE, SIDE), in parts of the glyph's longer side: 1 is BOX pixels.

    `edge` is that to the outline, above 0 inside; `spine` that to the middle of the strokes.
    """

    def __init__(self, mask: np.ndarray):
        self.mask = mask

    @cached_property
    def edge(self) -> np.ndarray:
        return _parts(ndimage.distance_transform_edt(self.mask) - ndimage.distance_transform_edt(~self.mask))

    @cached_property
    def spine(self) -> np.ndarray:
        return _spine(skeleton(self.mask))


class Penned(Glyph):
    """The glyph that a pen of some width, in parts of its longer side, draws along a line bool (SIDE, SIDE)."""

    def __init__(self, line: np.ndarray, width: float):
        self.line, self.width = line, width

    @cached_property
    def edge(self) -> np.ndarray:
        return self.width / 2 - self.spine

    @cached_property
    def spine(self) -> np.ndarray:
        return _spine(self.line)


def from_image(image: np.ndarray) -> Glyph:
    """The glyph of an image uint8 (28, 28) as MNIST has them: its outline made smooth."""
    rows, columns = (np.flatnonzero(image.max(axis) > HALF_INK) for axis in (1, 0))
    part = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    part = np.pad(part.astype(np.float32), 2)
    fine = ndimage.zoom(part, BOX / (max(part.shape) - 4), order=3)
    return Glyph(_in_the_middle(ndimage.gaussian_filter(fine, 1.5)) > HALF_INK)


def from_mask(shape: np.ndarray) -> Glyph:
    """The glyph of a shape bool (H, W)."""
    rows, columns = (np.flatnonzero(shape.any(axis)) for axis in (1, 0))
    part = shape[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    fine = ndimage.zoom(np.pad(part.astype(np.float32), 1), BOX / (max(part.shape)), order=1)
    return Glyph(_in_the_middle(fine) > 0.5)


def from_strokes(strokes: list[Stroke], width: float) -> Glyph:
    """The glyph that a pen draws along strokes in a unit square."""
    line = np.zeros((SIDE, SIDE), bool)
    for stroke in strokes:
        x, y = np.clip(np.round((SIDE - BOX) / 2 + BOX * smooth(np.array(stroke))), 0, SIDE - 1).astype(int).T
        line[y, x] = True
    return Penned(line, width)


def jittered(rng: np.random.Generator, strokes: list[Stroke], amount: float) -> list[Stroke]:
    """Strokes with their points moved at random, points at one place together."""
    moved: dict[tuple[float, float], tuple[float, float]] = {}
    for stroke in strokes:
        for x, y in stroke:
            moved.setdefault((x, y), (x + amount * rng.normal(), y + amount * rng.normal()))
    return [[moved[point] for point in stroke] for stroke in strokes]


def smooth(points: np.ndarray, steps: int = 60) -> np.ndarray:
    """Points (steps * (n - 1) + 1, 2) of the curve through n points (Catmull and Rom 1974)."""
    ends = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        if (b == c).all():
            continue
        a, d = (b if (a == b).all() else a), (c if (d == c).all() else d)
        pieces.append(b + t * (c - a) / 2 + t**2 * (a - 2.5 * b + 2 * c - d / 2) + t**3 * (1.5 * (b - c) + (d - a) / 2))
    return np.concatenate([*pieces, points[-1:]])


def skeleton(mask: np.ndarray) -> np.ndarray:
    """The middle of strokes, one pixel wide (Zhang and Suen 1984)."""
    image = mask.copy()
    changed = True
    while changed:
        changed = False
        for first in (True, False):
            removed = _removable(image, first)
            changed |= bool(removed.any())
            image &= ~removed
    return image


def _removable(image: np.ndarray, first: bool) -> np.ndarray:
    padded = np.pad(image, 1)
    H, W = image.shape
    around = [(0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0), (0, 0)]  # clockwise from above
    p = [padded[i : i + H, j : j + W] for i, j in around]
    count = np.sum(p, axis=0)
    turns = np.sum([~a & b for a, b in zip(p, [*p[1:], p[0]], strict=True)], axis=0)
    up, right, down, left = p[::2]
    sides = ~(up & right & down) & ~(right & down & left) if first else ~(up & right & left) & ~(up & down & left)
    return image & (count >= 2) & (count <= 6) & (turns == 1) & sides


def _in_the_middle(field: np.ndarray) -> np.ndarray:
    canvas = np.zeros((SIDE, SIDE), np.float32)
    field = field[:SIDE, :SIDE]
    h, w = field.shape
    top, left = (SIDE - h) // 2, (SIDE - w) // 2
    canvas[top : top + h, left : left + w] = field
    return canvas


def _spine(middle: np.ndarray) -> np.ndarray:
    """The distance to the middle of strokes, which is a line without gaps between its pixels."""
    return np.maximum(_parts(ndimage.distance_transform_edt(~middle)) - 0.75 / BOX, 0)


def _parts(distance: np.ndarray) -> np.ndarray:
    return (distance / BOX).astype(np.float32)
