"""Batches: images selected by a list of indices, normalized, and packed side by side.

x[b, k, l] = images[order[start + b*L + l], k] * scale + shift

`augment_batch` first changes each image at random, within the limits of `Effects`.
"""

from typing import NamedTuple

OPS = ("gather_batch", "augment_batch")

# The first stream of the random number generator for each use
PARAMETERS, DISPLACEMENTS, NOISE = 2**30, 2**30 + 2**8, 2**30 + 2**16

NUMBERS = 12  # random parameters of an image
KNOTS = 7  # spline knots of the displacement field along each side of an image


class Effects(NamedTuple):
    """The sizes of the random changes of augment_batch; 0 disables a change.

    Shift, rotation, scale and shear are uniform between -size and size; contrast and gamma are exp of such a number.
    For elastic displacements (in pixels) and noise (relative to the range of a pixel), the size is the standard
    deviation. The side of the erased square is uniform between 0 and its size.
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
