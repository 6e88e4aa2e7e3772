"""Convert pictures of digits to the format of MNIST: 28 x 28 pixels, bright ink on 0, centered, usual stroke width.

The modules in the order of the steps: background (estimate it), ink (find strokes, without ruled_lines), components
(connect them), one_digit (select those of the digit, perhaps on a sheet of paper), mnist_format. For numbers: lines
(select the components of each line, without rules and frames) and line_format.
"""

from fastdigits.imaging.lines import Line, find_lines
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
    "Line",
    "Picture",
    "PreparationStep",
    "Prepared",
    "candidates",
    "decoder_bytes",
    "find_lines",
    "open_picture",
    "prepare",
    "read_picture",
]
