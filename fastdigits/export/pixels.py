"""The preparation and normalization of pixels as a table, since both act on each pixel alone."""

from dataclasses import replace

import numpy as np

from fastdigits.data.preprocessing import Normalisation


def pixel_table(normalisation: Normalisation) -> np.ndarray:
    """Return the network's input for each level of a pixel, float32 (256,)."""
    levels = np.arange(256, dtype=np.uint8).reshape(1, 1, 256)
    prepared = replace(normalisation.preparation, pad=0).apply(levels).reshape(256)
    scale, shift = np.float32(1 / (255 * normalisation.std)), np.float32(-normalisation.mean / normalisation.std)
    return prepared * scale + shift
