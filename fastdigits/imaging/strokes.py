"""Strokes drawn as thick as in MNIST."""

import numpy as np
from PIL import Image
from scipy import ndimage

INK_SIDE = 20  # pixels of the longer side of a digit in MNIST
FINE = 4  # places of a pixel along each axis
LEAST_SIDE, MOST_SIDE = INK_SIDE * FINE, 256  # of the digit while its strokes are measured
EDGE = 0.5  # of a stroke's strength
THINNEST, THICKEST = 1.9, 3.8  # pixels of a stroke: nine of ten digits of MNIST lie between


def evened(strength: np.ndarray) -> np.ndarray:
    """Strokes of a usual thickness: a digit's ink (H, W), 1/2 at its edges, as one of INK_SIDE * FINE places, 0 .. 1.

    The outline is moved in or out by the same distance everywhere.
    """
    side = min(max(*strength.shape, LEAST_SIDE), MOST_SIDE)
    pixel = side / INK_SIDE
    reach = int(THINNEST * pixel / 2) + 2
    inside = np.zeros([length + 2 * reach for length in strength.shape], np.float32)
    inside[reach:-reach, reach:-reach] = strength
    inside = _resized(inside, side / max(strength.shape)) > EDGE
    thickness = thickness_of(inside) / pixel
    grown = (min(max(thickness, THINNEST), THICKEST) - thickness) * pixel / 2
    if grown > 0:
        inside = np.clip(grown + 1 - ndimage.distance_transform_edt(~inside), 0, 1)
    elif grown < 0:
        inside = np.clip(grown + ndimage.distance_transform_edt(inside), 0, 1)
    drawn = cropped(inside.astype(np.float32))
    return _resized(drawn, INK_SIDE * FINE / max(drawn.shape))


def thickness_of(inside: np.ndarray) -> float:
    """The mean thickness of strokes bool (H, W), in pixels, none of which lies at an edge: 2 area / perimeter.

    Edges of pixels are 4 / pi times as long as a line at random (Cauchy and Crofton).
    """
    edges = np.count_nonzero(inside[1:] != inside[:-1]) + np.count_nonzero(inside[:, 1:] != inside[:, :-1])
    return 2 * np.count_nonzero(inside) / max(edges * np.pi / 4, 1)


def cropped(drawn: np.ndarray) -> np.ndarray:
    """Without the empty rows and columns around it."""
    rows, columns = (np.flatnonzero((drawn > EDGE).any(axis)) for axis in (1, 0))
    return drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _resized(field: np.ndarray, factor: float) -> np.ndarray:
    if factor == 1:
        return field
    H, W = field.shape
    size = max(1, round(W * factor)), max(1, round(H * factor))
    kind = Image.Resampling.BICUBIC if factor > 1 else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(field).resize(size, kind))
