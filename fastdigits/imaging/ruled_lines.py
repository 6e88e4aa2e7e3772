"""Ruled lines: straight, thin and from edge to edge, as on writing paper; they are no strokes."""

import numpy as np
from scipy import ndimage

LONG = 0.85  # of the picture's side: a line is ink along so much of it
THICKEST = 0.05  # of the picture's side
STEEPEST = 0.06  # rise of a line, per pixel
TILTS = 13
SMALLEST = 24  # side of a picture on which a line can be told from a stroke
NARROW = 0.75  # of the picture's side: beside wider ink, a single line may be a stroke of it
EDGE = 0.5  # of a stroke's strength


def without_rules(strength: np.ndarray) -> np.ndarray:
    """The strength of ink (H, W) without straight lines across the whole picture; strokes that cross them stay."""
    strength = _without_level(strength)
    return _without_level(strength.T).T


def _without_level(strength: np.ndarray) -> np.ndarray:
    """Without the lines that go from the left edge to the right one."""
    H, W = strength.shape
    border = max(1, W // 50)
    ends = strength[:, :border].max() > EDGE and strength[:, -border:].max() > EDGE
    if min(H, W) < SMALLEST or not ends:
        return strength
    mask = strength > EDGE
    if not (_rows(mask[:, :border]) & _rows(mask[:, -border:])).any():
        return strength
    x = np.arange(W) - W / 2
    for tilt in sorted(np.linspace(-STEEPEST, STEEPEST, TILTS), key=abs):
        shift = np.round(tilt * x).astype(int)
        rows = np.clip(np.arange(H)[:, None] + shift, 0, H - 1)
        straight = np.take_along_axis(mask, rows, axis=0)
        lines = straight.mean(1) >= LONG
        if not lines.any():
            continue
        bands = _thin_bands(lines, H)
        if not bands.any():
            continue
        count = ndimage.label(bands)[1]
        around, line = ndimage.binary_dilation(bands, iterations=2), np.zeros_like(mask)
        np.put_along_axis(line, rows, np.broadcast_to(around[:, None], mask.shape), 0)
        crossing = ndimage.binary_opening(mask, np.ones((int(bands.sum()) // count + 6, 1), bool))
        rest = np.where(line & ~crossing, 0, strength)
        if count > 1 or _width(rest > EDGE) < NARROW * W:
            strength, mask = rest, rest > EDGE
    return strength


def _rows(mask: np.ndarray) -> np.ndarray:
    """Which rows have ink, or a neighbour that has."""
    return ndimage.binary_dilation(mask.any(1), iterations=max(1, len(mask) // 12))


def _thin_bands(lines: np.ndarray, H: int) -> np.ndarray:
    """Those rows of lines that make up no thick bar."""
    bands, count = ndimage.label(lines)
    sizes = np.bincount(bands, minlength=count + 1)
    return lines & (sizes[bands] <= max(2, THICKEST * H))


def _width(mask: np.ndarray) -> int:
    columns = np.flatnonzero(mask.any(0))
    return int(np.ptp(columns)) + 1 if len(columns) else 0
