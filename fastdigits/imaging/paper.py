"""Find a sheet of paper on a larger surface, such as a table."""

import numpy as np
from scipy import ndimage

from fastdigits.imaging.components import EIGHT_NEIGHBORS

MIN_AREA = 0.1  # fraction of the picture
MIN_FILL = 0.6  # fraction of the sheet that differs from the surface; the rest may be ink
MIN_RECTANGULARITY = 0.83  # area divided by that of the smallest enclosing rectangle; a disc has 0.79
MARGIN = 0.04  # fraction of the sheet's side to cut off, because its edge may show the surface


def isolate_paper(picture: np.ndarray, mask: np.ndarray) -> np.ndarray | None:
    """Paint everything outside a sheet of paper in the color of the paper.

    Parameters
    ----------
    picture : uint8 (H, W, C)
    mask : bool (H, W)
        The pixels that differ from the surface.

    Returns
    -------
    uint8 (H, W, C), or None if the mask does not have the shape of a sheet.
    """
    if np.count_nonzero(mask) < MIN_FILL * MIN_AREA * mask.size:
        return None
    filled = ndimage.binary_fill_holes(mask)
    area = int(filled.sum())
    if area < MIN_AREA * mask.size or mask.sum() < MIN_FILL * area:
        return None
    if area < MIN_RECTANGULARITY * _enclosing_rectangle_area(filled):
        return None
    inside = ndimage.binary_erosion(filled, EIGHT_NEIGHBORS, iterations=max(2, round(MARGIN * np.sqrt(area))))
    if not inside.any():
        return None
    return np.where(inside[..., None], picture, np.median(picture[inside], axis=0).astype(np.uint8))


def _enclosing_rectangle_area(mask: np.ndarray) -> float:
    """Return the area of the smallest rectangle around a mask, over rotations in steps of 3 degrees."""
    y, x = np.nonzero(mask ^ ndimage.binary_erosion(mask))
    angles = np.radians(np.arange(0, 90, 3))
    across = np.outer(np.cos(angles), x) + np.outer(np.sin(angles), y)
    along = np.outer(np.cos(angles), y) - np.outer(np.sin(angles), x)
    return float(((np.ptp(across, axis=1) + 1) * (np.ptp(along, axis=1) + 1)).min())
