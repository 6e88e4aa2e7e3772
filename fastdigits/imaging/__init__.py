"""Any picture of digits as images such as MNIST has: 28 x 28 pixels, bright ink on 0, centred, strokes alike.

picture -> ground -> ink -> marks -> finding -> strokes -> frame        finding, several: which marks are digits
"""

from fastdigits.imaging.many_digits import Cell, find_cells, find_lines
from fastdigits.imaging.one_digit import candidates, prepare
from fastdigits.imaging.picture import MAX_BYTES, MAX_PIXELS, read_picture
from fastdigits.imaging.types import Box, Prepared, Step

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "Box",
    "Cell",
    "Prepared",
    "Step",
    "candidates",
    "find_cells",
    "find_lines",
    "prepare",
    "read_picture",
]
