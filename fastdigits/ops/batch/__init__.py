"""A batch: images picked by an index list, normalised, and packed side by side.

x[b, k, l] = images[order[start + b*L + l], k] * scale + shift

augment_batch changes each image first, at random, as Effects say.
"""

from typing import NamedTuple

OPS = ("gather_batch", "augment_batch")

# What random numbers are for: the streams of the generator from which on they come
PARAMETERS, DISPLACEMENTS, NOISE = 2**30, 2**30 + 2**8, 2**30 + 2**16

NUMBERS = 12  # of an image's parameters
KNOTS = 7  # of the displacement's splines along each side of an image


class Effects(NamedTuple):
    """How much augment_batch may change an image; 0 leaves it as it is.

    The affine parameters are drawn evenly from -limit to limit, the factors of contrast and gamma are exp of such
    a number, elastic displacements and noise have a standard deviation, in pixels and in parts of the pixels' range.
    """

    shift_px: float = 0.0
    rotate_deg: float = 0.0
    scale: float = 0.0
    shear_deg: float = 0.0
    elastic_px: float = 0.0
    contrast: float = 0.0
    gamma: float = 0.0
    noise: float = 0.0
    erase_px: int = 0


NO_EFFECTS = Effects()
