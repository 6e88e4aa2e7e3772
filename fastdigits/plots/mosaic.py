"""Figures of panels, each of many small images in one, with the scale of their colors. All lengths are in inches."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdigits.plots import style
from fastdigits.plots.text import text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 13.0  # of a row of panels
ABOVE, RIGHT = 0.5, 1.25  # of a panel, for its title and the scale of its colors
LABELS, NO_LABELS = 0.75, 0.2  # left of and below the images
HEADER = 0.4
BAR_LEFT, BAR_WIDTH, BAR_HEIGHT = 0.15, 0.15, 2.2  # of the scale of the colors


@dataclass(frozen=True)
class Ticks:
    """Numbers beside rows or columns of images, in pixels of the mosaic, and what they are."""

    places: np.ndarray
    numbers: np.ndarray
    name: str


@dataclass(frozen=True)
class Panel:
    """Images in one, with NaN between them.

    `pixel` is the size of a pixel, `colors` what imshow takes, `unit` what they mean. `numbers` are the places of 0,
    1, 2 ... in pixels: the middle and lower end.
    """

    title: str
    mosaic: np.ndarray
    pixel: float
    colors: dict[str, Any]
    unit: str
    numbers: list[tuple[float, float]] = field(default_factory=list)
    ticks: tuple[Ticks, Ticks] | None = None  # of rows and columns

    @property
    def width(self) -> float:
        """Of the images."""
        return self.pixel * self.mosaic.shape[1]

    @property
    def height(self) -> float:
        """Of the images."""
        return self.pixel * self.mosaic.shape[0]

    @property
    def margin(self) -> float:
        """What is left free on the left and below."""
        return LABELS if self.ticks else NO_LABELS

    @property
    def outer_width(self) -> float:
        """With all that stands around."""
        return self.margin + max(self.width + RIGHT, text_width(self.title, style.TEXT) / 72 + 0.3)

    @property
    def outer_height(self) -> float:
        """With all that stands around."""
        return ABOVE + self.height + self.margin


def mosaic_of(images: np.ndarray, corners: list[tuple[int, int]]) -> np.ndarray:
    """Images (N, H, W) in one, with their tops and lefts there and NaN elsewhere."""
    N, H, W = images.shape
    mosaic = np.full((max(top for top, _ in corners) + H, max(left for _, left in corners) + W), np.nan, np.float32)
    for image, (top, left) in zip(images, corners, strict=True):
        mosaic[top : top + H, left : left + W] = image
    return mosaic


def draw(title: str, panels: list[Panel], head: tuple[float, float] = (0.0, 0.0)) -> "Figure":
    """The panels in rows, with a space of `head`, width and height, left free below the title."""
    from matplotlib.figure import Figure

    title, rows = style.literal(title), _in_rows(panels)
    heights = [max(panel.outer_height for panel in row) for row in rows]
    widths = [sum(panel.outer_width for panel in row) for row in rows]
    width = max(*widths, head[0], text_width(title, style.TITLE) / 72 + 2 * NO_LABELS)
    top = (HEADER if title else 0) + head[1]
    figure = Figure(figsize=(width, top + sum(heights)))
    figure.text(NO_LABELS / width, 1 - 0.15 / figure.get_figheight(), title, size=style.TITLE, va="top")
    for row, height in zip(rows, heights, strict=True):
        left = 0.0
        for panel in row:
            _draw_panel(figure, panel, left + panel.margin, top + ABOVE)
            left += panel.outer_width
        top += height
    return figure


def axes_at(figure: "Figure", left: float, top: float, width: float, height: float) -> "Axes":
    """New axes of this size, so far from the left and the top of the figure."""
    W, H = figure.get_size_inches()
    return figure.add_axes((left / W, 1 - (top + height) / H, width / W, height / H))


def _in_rows(panels: list[Panel]) -> list[list[Panel]]:
    rows = [panels[:1]]
    for panel in panels[1:]:
        if sum(other.outer_width for other in rows[-1]) + panel.outer_width > WIDTH:
            rows.append([])
        rows[-1].append(panel)
    return rows


def _draw_panel(figure: "Figure", panel: Panel, left: float, top: float) -> None:
    """The images with their top left there, and the scale of their colors beside them."""
    from matplotlib.ticker import MaxNLocator

    axes = axes_at(figure, left, top, panel.width, panel.height)
    image = axes.imshow(panel.mosaic, interpolation="none", aspect="auto", **panel.colors)
    axes.set_title(panel.title, fontsize=style.TEXT, loc="left")
    axes.spines[:].set(visible=not (panel.ticks or panel.numbers), color=style.GRAY, linewidth=0.5)
    axes.set(xticks=[], yticks=[])
    for axis, ticks in zip((axes.yaxis, axes.xaxis), panel.ticks or (), strict=False):
        axis.set_ticks(ticks.places, ticks.numbers)
        axis.set_tick_params(length=0)
        axis.set_label_text(ticks.name)
    for number, (x, y) in enumerate(panel.numbers):
        axes.text(x, y, str(number), fontsize=style.SMALL, ha="center", va="bottom")
    bar = axes_at(figure, left + panel.width + BAR_LEFT, top, BAR_WIDTH, min(max(panel.height, 0.6), BAR_HEIGHT))
    figure.colorbar(image, cax=bar, label=panel.unit, ticks=MaxNLocator(5 if panel.height > 1 else 2))
