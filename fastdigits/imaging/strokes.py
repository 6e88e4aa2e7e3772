"""Strokes drawn as thick as in MNIST."""

import numpy as np
from PIL import Image
from scipy import ndimage

INK_SIDE = 20  # pixels of the longer side of a digit in MNIST
FINE = 4  # places of a pixel along each axis
LEAST_SIDE, MOST_SIDE = INK_SIDE * FINE, 256  # of the digit while its strokes are measured
THINNEST, THICKEST = 1.9, 3.8  # pixels of a stroke: nine of ten digits of MNIST lie between


def evened(strength: np.ndarray) -> np.ndarray:
    """Strokes of a usual thickness: a digit's ink (H, W), 1/2 at its edges, as one of INK_SIDE * FINE places, 0 .. 1.

    The outline is moved in or out by the same distance everywhere.
    """
    part = np.pad(strength, 1)
    long_side = max(strength.shape)
    side = min(max(long_side, LEAST_SIDE), MOST_SIDE)
    if side != long_side:
        part = _resized(part, side / long_side)
    inside = part > 0.5
    pixel = side / INK_SIDE
    reach = int(THINNEST * pixel / 2) + 2
    inside = np.pad(inside, reach)
    within = ndimage.distance_transform_edt(inside)
    distance = within - ndimage.distance_transform_edt(~inside)
    thickness = thickness_of(within, inside) / pixel
    grown = (min(max(thickness, THINNEST), THICKEST) - thickness) * pixel / 2
    drawn = np.clip(distance + np.where(distance > 0, -0.5, 0.5) + grown + 0.5, 0, 1)
    return _resized(cropped(drawn), INK_SIDE * FINE / max(cropped(drawn).shape))


def thickness_of(within: np.ndarray, inside: np.ndarray) -> float:
    """The mean thickness of strokes in pixels, from the distances to their edges: four times their mean."""
    return 4 * float((within[inside] - 0.5).mean()) + 0.5 if inside.any() else 0.0


def cropped(drawn: np.ndarray) -> np.ndarray:
    """Without the empty rows and columns around it."""
    rows, columns = (np.flatnonzero((drawn > 0.5).any(axis)) for axis in (1, 0))
    return drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _resized(field: np.ndarray, factor: float) -> np.ndarray:
    H, W = field.shape
    size = max(1, round(W * factor)), max(1, round(H * factor))
    kind = Image.Resampling.BICUBIC if factor > 1 else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(field.astype(np.float32)).resize(size, kind))
