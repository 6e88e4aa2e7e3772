"""Convert pictures of digits to the format of MNIST: 28 x 28 pixels, bright ink on 0, centered, usual stroke width.

The modules in the order of the steps: background (estimate it), ink (find strokes, without ruled_lines), components
(connect them), one_digit or many_digits (select those of each digit, perhaps on a sheet of paper), mnist_format.
"""

from fastdigits.imaging.many_digits import Region, find_lines, find_regions, find_sheet
from fastdigits.imaging.one_digit import candidates, prepare
from fastdigits.imaging.picture import (
    MAX_BYTES,
    MAX_DECODER_BYTES,
    MAX_PIXELS,
    Picture,
    decoder_bytes,
    open_picture,
    read_picture,
)
from fastdigits.imaging.types import Box, PreparationStep, Prepared

__all__ = [
    "MAX_BYTES",
    "MAX_DECODER_BYTES",
    "MAX_PIXELS",
    "Box",
    "Picture",
    "PreparationStep",
    "Prepared",
    "Region",
    "candidates",
    "decoder_bytes",
    "find_lines",
    "find_regions",
    "find_sheet",
    "open_picture",
    "prepare",
    "read_picture",
]
