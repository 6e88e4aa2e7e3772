"""Learned kernels, layer by layer. All lengths are in inches."""

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from fastdigits.plots import style
from fastdigits.plots.text import times, width_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 13.0  # of a row of panels
ABOVE, RIGHT = 0.5, 1.25  # of a panel, for its title and the scale of its colours
LABELS, NO_LABELS = 0.75, 0.2  # left of and below its kernels
HEADER = 0.4
BAR_LEFT, BAR_WIDTH, BAR_HEIGHT = 0.15, 0.15, 2.2  # of the scale of the colours
NUMBER = 0.24  # the height of the number above a kernel
MOST_NUMBERED = 40  # kernels of one channel
MATRIX = 4.2  # the longer side of all kernels of several channels
TICKS = 8  # at most, of filters and channels


@dataclass(frozen=True)
class Panel:
    """The kernels of a layer in one image, NaN between them; `places` are the tops and lefts of those with numbers."""

    title: str
    mosaic: np.ndarray
    width: float
    height: float
    kernels: tuple[int, ...]
    places: list[tuple[int, int]]

    @property
    def margin(self) -> float:
        """What is left free on the left and below."""
        return NO_LABELS if self.kernels[1] == 1 else LABELS

    @property
    def outer_width(self) -> float:
        """With all that stands around."""
        return self.margin + max(self.width + RIGHT, width_of(self.title, style.TEXT) / 72 + 0.3)

    @property
    def outer_height(self) -> float:
        """With all that stands around."""
        return ABOVE + self.height + self.margin


@style.look()
def draw(kernels: dict[str, np.ndarray], title: str) -> "Figure":
    """One panel for each layer, with its kernels in colours that are white at 0.

    Kernels of one channel stand side by side with their numbers; of several, a row holds those of one filter and a
    column those that read the same channel.

    Parameters
    ----------
    kernels : dict of float32 (filters, channels, rows, columns)
        By the name of the layer.
    title : str
    """
    from matplotlib.figure import Figure

    rows = _in_rows([_panel(name, weight) for name, weight in kernels.items()])
    heights = [max(panel.outer_height for panel in row) for row in rows]
    width, height = max(sum(panel.outer_width for panel in row) for row in rows), HEADER + sum(heights)
    figure = Figure(figsize=(width, height))
    figure.text(0.15 / width, 1 - 0.15 / height, title, fontsize=style.TITLE, weight="bold", va="top")
    top = height - HEADER
    for row, row_height in zip(rows, heights, strict=True):
        left = 0.0
        for panel in row:
            _draw_panel(figure, panel, left + panel.margin, top - ABOVE, (width, height))
            left += panel.outer_width
        top -= row_height
    return figure


def _in_rows(panels: list[Panel]) -> list[list[Panel]]:
    rows = [panels[:1]]
    for panel in panels[1:]:
        if sum(other.outer_width for other in rows[-1]) + panel.outer_width > WIDTH:
            rows.append([])
        rows[-1].append(panel)
    return rows


def _panel(name: str, weight: np.ndarray) -> Panel:
    O, C, P, Q = weight.shape
    title, gap, places = times(f"{name}: {O} of {P} x {Q}"), _gap(P, Q), []
    if C > 1:
        tile = min(MATRIX / max(O, C), 0.32)
        corners = [(o * (P + gap), c * (Q + gap)) for o in range(O) for c in range(C)]
    elif O > MOST_NUMBERED:
        tile, columns = 0.5, 16
        corners = [(i // columns * (P + gap), i % columns * (Q + gap)) for i in range(O)]
    else:
        tile, columns = min(max(0.05 * Q, 0.6), 1.1), 5 if 8 < O <= 10 else 8
        above = ceil(NUMBER / tile * Q)
        corners = places = [(i // columns * (P + above) + above, i % columns * (Q + gap)) for i in range(O)]
    mosaic = _mosaic(weight, corners)
    height, width = (tile / Q * pixels for pixels in mosaic.shape)
    return Panel(title, mosaic, width, height, weight.shape, places)


def _gap(P: int, Q: int) -> int:
    """Pixels between kernels."""
    return int(P * Q > 1)


def _mosaic(weight: np.ndarray, places: list[tuple[int, int]]) -> np.ndarray:
    O, C, P, Q = weight.shape
    mosaic = np.full((max(top for top, _ in places) + P, max(left for _, left in places) + Q), np.nan, np.float32)
    for kernel, (top, left) in zip(weight.reshape(-1, P, Q), places, strict=True):
        mosaic[top : top + P, left : left + Q] = kernel
    return mosaic


def _draw_panel(figure: "Figure", panel: Panel, left: float, top: float, size: tuple[float, float]) -> None:
    """The kernels with their top left there, and the scale of their colours beside them."""

    from matplotlib.ticker import MaxNLocator

    def axes_at(x: float, width: float, height: float) -> "Axes":
        return figure.add_axes((x / size[0], (top - height) / size[1], width / size[0], height / size[1]))

    O, C, P, Q = panel.kernels
    axes, most = axes_at(left, panel.width, panel.height), float(np.nanmax(np.abs(panel.mosaic))) or 1.0
    colours = {"cmap": style.DIVERGING, "vmin": -most, "vmax": most}
    image = axes.imshow(panel.mosaic, interpolation="none", aspect="auto", **colours)
    axes.set_title(panel.title, fontsize=style.TEXT, loc="left")
    axes.spines[:].set_visible(False)
    bar = axes_at(left + panel.width + BAR_LEFT, BAR_WIDTH, min(panel.height, BAR_HEIGHT))
    figure.colorbar(image, cax=bar, label="weight", ticks=MaxNLocator(5 if panel.height > 1 else 3))
    for axis, count, length, name in ((axes.yaxis, O, P, "filter"), (axes.xaxis, C, Q, "channel of its input")):
        numbers = np.arange(0, count, -(-count // TICKS)) if C > 1 else np.empty(0)
        axis.set_ticks(numbers * (length + _gap(P, Q)) + (length - 1) / 2, numbers)
        axis.set_tick_params(length=0)
        axis.set_label_text(name if C > 1 else "")
    for number, (row, column) in enumerate(panel.places):
        axes.text(column + Q / 2 - 0.5, row - 0.7, str(number), fontsize=style.SMALL, ha="center", va="bottom")
