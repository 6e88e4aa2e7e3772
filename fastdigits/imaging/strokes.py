"""Strokes: which marks belong to a digit, and how thick they are drawn."""

import numpy as np
from scipy import ndimage

ANY_NEIGHBOUR = np.ones((3, 3), bool)
LEAST_SHARE = 0.15  # of the largest mark's extent; smaller ones are specks


def without_specks(mask: np.ndarray) -> np.ndarray:
    """The mask bool (H, W) without marks that are much smaller than the largest."""
    marks, count = ndimage.label(mask, ANY_NEIGHBOUR)
    if not count:
        return mask
    extents = np.array([max(part.stop - part.start for part in place) for place in ndimage.find_objects(marks)])
    keep = np.concatenate([[False], extents >= LEAST_SHARE * extents.max()])
    return keep[marks]
