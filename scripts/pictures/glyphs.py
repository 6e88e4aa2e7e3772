"""Shapes of digits and letters as distance fields, from which a pen of any width can draw them at any size."""

from functools import cached_property

import numpy as np
from scipy import ndimage

from pictures.alphabet import Stroke

SIDE = 160  # of a distance field, in pixels
BOX = 100  # longer side of the glyph in the field, in pixels; the unit of distances
HALF_INK = 110  # MNIST pixels above this are ink


class Glyph:
    """A shape as distance fields, float32 (SIDE, SIDE), in units of the glyph's longer side (BOX pixels).

    `edge` is the signed distance to the outline, positive inside. `spine` is the distance to the centre line of the
    strokes.
    """

    def __init__(self, mask: np.ndarray):
        self.mask = mask

    @cached_property
    def edge(self) -> np.ndarray:
        return _to_glyph_units(ndimage.distance_transform_edt(self.mask) - ndimage.distance_transform_edt(~self.mask))

    @cached_property
    def spine(self) -> np.ndarray:
        return _spine(skeleton(self.mask))


class PenGlyph(Glyph):
    """The glyph that a pen draws along a line bool (SIDE, SIDE); `width` is in units of the glyph's longer side."""

    def __init__(self, line: np.ndarray, width: float):
        self.line, self.width = line, width

    @cached_property
    def edge(self) -> np.ndarray:
        return self.width / 2 - self.spine

    @cached_property
    def spine(self) -> np.ndarray:
        return _spine(self.line)


def from_image(image: np.ndarray) -> Glyph:
    """Return the glyph of an MNIST image uint8 (28, 28), with a smoothed outline."""
    rows, columns = (np.flatnonzero(image.max(axis) > HALF_INK) for axis in (1, 0))
    part = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    part = np.pad(part.astype(np.float32), 2)
    fine = ndimage.zoom(part, BOX / (max(part.shape) - 4), order=3)
    return Glyph(_centered(ndimage.gaussian_filter(fine, 1.5)) > HALF_INK)


def from_mask(shape: np.ndarray) -> Glyph:
    """Return the glyph of a mask bool (H, W)."""
    rows, columns = (np.flatnonzero(shape.any(axis)) for axis in (1, 0))
    part = shape[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    fine = ndimage.zoom(np.pad(part.astype(np.float32), 1), BOX / (max(part.shape)), order=1)
    return Glyph(_centered(fine) > 0.5)


def from_strokes(strokes: list[Stroke], width: float) -> Glyph:
    """Return the glyph that a pen draws along strokes in the unit square."""
    line = np.zeros((SIDE, SIDE), bool)
    for stroke in strokes:
        x, y = np.clip(np.round((SIDE - BOX) / 2 + BOX * smooth(np.array(stroke))), 0, SIDE - 1).astype(int).T
        line[y, x] = True
    return PenGlyph(line, width)


def jittered(rng: np.random.Generator, strokes: list[Stroke], amount: float) -> list[Stroke]:
    """Return strokes with randomly displaced points; equal points stay equal."""
    moved: dict[tuple[float, float], tuple[float, float]] = {}
    for stroke in strokes:
        for x, y in stroke:
            moved.setdefault((x, y), (x + amount * rng.normal(), y + amount * rng.normal()))
    return [[moved[point] for point in stroke] for stroke in strokes]


def smooth(points: np.ndarray, steps: int = 60) -> np.ndarray:
    """Return points (steps * (n - 1) + 1, 2) of the smooth curve through n points (Catmull and Rom 1974)."""
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
    """Thin strokes to their centre line, one pixel wide (Zhang and Suen 1984)."""
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


def _centered(field: np.ndarray) -> np.ndarray:
    canvas = np.zeros((SIDE, SIDE), np.float32)
    field = field[:SIDE, :SIDE]
    h, w = field.shape
    top, left = (SIDE - h) // 2, (SIDE - w) // 2
    canvas[top : top + h, left : left + w] = field
    return canvas


def _spine(line: np.ndarray) -> np.ndarray:
    """Return the distance to the centre line of the strokes, whose pixels touch each other."""
    return np.maximum(_to_glyph_units(ndimage.distance_transform_edt(~line)) - 0.75 / BOX, 0)


def _to_glyph_units(distance: np.ndarray) -> np.ndarray:
    return (distance / BOX).astype(np.float32)
