"""Plot the filters of a network, layer by layer."""

from math import ceil, sqrt
from typing import TYPE_CHECKING

import numpy as np

from fastdigits.plots import mosaic, style
from fastdigits.plots.text import with_times_signs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Lengths in inches
MATRIX = 4.2  # longer side of a matrix of kernels, at most
KERNEL = 0.32  # width of a kernel in a matrix, at most
NUMBER = 0.24  # space for a number above a kernel
PIXEL = 0.05  # in a list of numbered kernels, within the following limits
MIN_TILE, MAX_TILE = 0.6, 1.1  # width of a numbered kernel
SMALL_TILE = 0.5  # width of a kernel without a number
COLUMNS, SMALL_COLUMNS = 8, 16  # kernels in a row: numbered (at most), without numbers
MAX_NUMBERED = 40  # longer lists of kernels have no numbers
MAX_TICKS = 8  # of filters and of channels
NUMBER_OFFSET = 0.7  # from the upper end of a kernel to its number, in pixels


@style.figure_style()
def draw(filters: dict[str, np.ndarray], title: str) -> "Figure":
    """Draw a panel for each layer, with its kernels in colors that are white at 0.

    Filters of one channel are drawn as a list with their numbers, filters of several channels as a matrix with a row
    for each filter and a column for each channel.

    Parameters
    ----------
    filters : dict of float32 (filters, channels, rows, columns)
        Weights by the name of the layer.
    title : str
    """
    panels = [_matrix(name, w) if w.shape[1] > 1 else _list(name, w) for name, w in filters.items()]
    return mosaic.draw(title, panels)


def _matrix(name: str, weight: np.ndarray) -> mosaic.Panel:
    O, C, P, Q = weight.shape
    gap = int(P * Q > 1)
    corners = [(o * (P + gap), c * (Q + gap)) for o in range(O) for c in range(C)]
    image = mosaic.mosaic_of(weight.reshape(-1, P, Q), corners)
    pixel = min(MATRIX / max(image.shape), KERNEL / Q)
    ticks = _ticks(O, P, gap, "filter"), _ticks(C, Q, gap, "input channel")
    return mosaic.Panel(_title(name, weight), image, pixel, mosaic.diverging(weight), "weight", ticks=ticks)


def _list(name: str, weight: np.ndarray) -> mosaic.Panel:
    O, _, P, Q = weight.shape
    numbered = O <= MAX_NUMBERED
    tile, columns = SMALL_TILE, SMALL_COLUMNS
    if numbered:
        tile = min(max(PIXEL * Q, MIN_TILE), MAX_TILE)
        columns = _columns(O)
    above = ceil(NUMBER / tile * Q) if numbered else 1
    corners = [(i // columns * (P + above) + above, i % columns * (Q + 1)) for i in range(O)]
    numbers = [(left + Q / 2 - 0.5, top - NUMBER_OFFSET) for top, left in corners if numbered]
    image = mosaic.mosaic_of(weight[:, 0], corners)
    return mosaic.Panel(_title(name, weight), image, tile / Q, mosaic.diverging(weight), "weight", numbers)


def _columns(count: int) -> int:
    """Return the columns of a nearly square grid, which has no empty place if that is possible."""
    square = ceil(sqrt(count))
    return next((columns for columns in range(square, COLUMNS + 1) if count % columns == 0), square)


def _title(name: str, weight: np.ndarray) -> str:
    O, _, P, Q = weight.shape
    return with_times_signs(f"{name}: {O} of {P} x {Q}")


def _ticks(count: int, length: int, gap: int, name: str) -> mosaic.Ticks:
    """Return ticks at the middles of filters or channels of `length` pixels."""
    numbers = np.arange(0, count, ceil(count / MAX_TICKS))
    return mosaic.Ticks(numbers * (length + gap) + (length - 1) / 2, numbers, name)
