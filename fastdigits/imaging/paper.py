"""A sheet of paper that lies on a larger ground, such as a table."""

import numpy as np
from scipy import ndimage

from fastdigits.imaging.components import EIGHT_NEIGHBOURS

MIN_AREA = 0.1  # of the picture; a smaller one is no sheet
SOLID = 0.6  # of it shows the sheet itself, the rest what is drawn on it
RECTANGULAR = 0.83  # of the least rectangle around it; a disc has 0.79
MARGIN = 0.04  # of its width: what lies so near its edge may show the ground


def on_sheet(colours: np.ndarray, mask: np.ndarray) -> np.ndarray | None:
    """The colours uint8 (H, W, C) of a sheet with the ground painted over in its own colour.

    `mask` bool (H, W) is what differs from the ground; None where that is no sheet.
    """
    if np.count_nonzero(mask) < SOLID * MIN_AREA * mask.size:
        return None
    filled = ndimage.binary_fill_holes(mask)
    area = int(filled.sum())
    if area < MIN_AREA * mask.size or mask.sum() < SOLID * area or area < RECTANGULAR * _rectangle(filled):
        return None
    inside = ndimage.binary_erosion(filled, EIGHT_NEIGHBOURS, iterations=max(2, round(MARGIN * np.sqrt(area))))
    if not inside.any():
        return None
    return np.where(inside[..., None], colours, np.median(colours[inside], axis=0).astype(np.uint8))


def _rectangle(mask: np.ndarray) -> float:
    """The area of the smallest rectangle, turned by any angle, around the mask."""
    y, x = np.nonzero(mask ^ ndimage.binary_erosion(mask))
    angles = np.radians(np.arange(0, 90, 3))
    across = np.outer(np.cos(angles), x) + np.outer(np.sin(angles), y)
    along = np.outer(np.cos(angles), y) - np.outer(np.sin(angles), x)
    return float(((np.ptp(across, axis=1) + 1) * (np.ptp(along, axis=1) + 1)).min())
