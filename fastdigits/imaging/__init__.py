"""Convert pictures of digits to the format of MNIST: 28 x 28 pixels, bright ink on 0, centered, usual stroke width.

background: what ink contrasts with -> ink: where strokes are, without ruled_lines -> components: connected pieces
-> one_digit or many_digits: which of them make up a digit, perhaps on a sheet of paper -> mnist_format
"""

from fastdigits.imaging.many_digits import Region, find_lines, find_regions
from fastdigits.imaging.one_digit import candidates, prepare
from fastdigits.imaging.picture import MAX_BYTES, MAX_PIXELS, read_picture
from fastdigits.imaging.types import Box, PreparationStep, Prepared

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "Box",
    "PreparationStep",
    "Prepared",
    "Region",
    "candidates",
    "find_lines",
    "find_regions",
    "prepare",
    "read_picture",
]
