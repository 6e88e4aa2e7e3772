"""Learned kernels, layer by layer."""

from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from fastdigits.plots import mosaic, style
from fastdigits.plots.text import with_times_signs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_NUMBERED = 40  # kernels of one channel
NUMBER = 0.24  # inches above a kernel for its number
MATRIX = 4.2  # inches of the longer side of all kernels of several channels
TICKS = 8  # at most, of filters and channels


@style.figure_style()
def draw(kernels: dict[str, np.ndarray], title: str) -> "Figure":
    """One panel for each layer, with its kernels in colors that are white at 0.

    Kernels of one channel stand side by side with their numbers; of several, a row holds those of one filter and a
    column those that read the same channel.

    Parameters
    ----------
    kernels : dict of float32 (filters, channels, rows, columns)
        By the name of the layer.
    title : str
    """
    panels = [_matrix(name, w) if w.shape[1] > 1 else _list(name, w) for name, w in kernels.items()]
    return mosaic.draw(title, panels)


def _matrix(name: str, weight: np.ndarray) -> mosaic.Panel:
    O, C, P, Q = weight.shape
    gap = int(P * Q > 1)
    corners = [(o * (P + gap), c * (Q + gap)) for o in range(O) for c in range(C)]
    image = mosaic.mosaic_of(weight.reshape(-1, P, Q), corners)
    pixel = min(MATRIX / max(image.shape), 0.32 / Q)
    ticks = _ticks(O, P, gap, "filter"), _ticks(C, Q, gap, "channel of its input")
    return mosaic.Panel(_title(name, weight), image, pixel, _colors(weight), "weight", ticks=ticks)


def _list(name: str, weight: np.ndarray) -> mosaic.Panel:
    O, _, P, Q = weight.shape
    numbered = O <= MAX_NUMBERED
    tile, columns = (min(max(0.05 * Q, 0.6), 1.1), 5 if 8 < O <= 10 else 8) if numbered else (0.5, 16)
    above = ceil(NUMBER / tile * Q) if numbered else 1
    corners = [(i // columns * (P + above) + above, i % columns * (Q + 1)) for i in range(O)]
    numbers = [(left + Q / 2 - 0.5, top - 0.7) for top, left in corners if numbered]
    image = mosaic.mosaic_of(weight[:, 0], corners)
    return mosaic.Panel(_title(name, weight), image, tile / Q, _colors(weight), "weight", numbers)


def _title(name: str, weight: np.ndarray) -> str:
    O, _, P, Q = weight.shape
    return with_times_signs(f"{name}: {O} of {P} x {Q}")


def _colors(weight: np.ndarray) -> dict:
    most = float(np.abs(weight).max()) or 1.0
    return {"cmap": style.DIVERGING, "vmin": -most, "vmax": most}


def _ticks(count: int, length: int, gap: int, name: str) -> mosaic.Ticks:
    """Numbers of filters or channels beside their middles."""
    numbers = np.arange(0, count, -(-count // TICKS))
    return mosaic.Ticks(numbers * (length + gap) + (length - 1) / 2, numbers, name)
