"""What can be told of an image that MNIST made."""

import numpy as np

from fastdigits.imaging.prepared import SIDE

INK_SIDE = 20
LEAST_PEAK = 254  # of the brightest pixel
HALF_PIXEL = 0.51  # the centre of mass was brought to the middle by whole pixels


def is_prepared(image: np.ndarray) -> bool:
    """Whether an image uint8 (H, W) is as MNIST has them: preparing it would find nothing to do.

    28 x 28 pixels, bright ink on 0 whose longer side is 20 pixels, its centre of mass in the middle. All but 13 of
    MNIST's 60,000 training images are so, to the pixel.
    """
    if image.shape != (SIDE, SIDE) or image.max() < LEAST_PEAK:
        return False
    by_row, by_column = image.sum(1, dtype=np.int64), image.sum(0, dtype=np.int64)
    rows, columns = by_row.nonzero()[0], by_column.nonzero()[0]
    if not len(rows) or max(rows[-1] - rows[0], columns[-1] - columns[0]) != INK_SIDE - 1:
        return False
    places = np.arange(SIDE)
    centre = np.array([by_row @ places, by_column @ places]) / by_row.sum()
    return bool((abs(centre - SIDE / 2) <= HALF_PIXEL).all())
