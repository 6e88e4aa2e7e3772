"""Draw panels of many small images with a color bar each. All lengths are in inches."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdigits.plots import style
from fastdigits.plots.text import text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 13.0  # of a row of panels, at most
ABOVE, RIGHT = 0.5, 1.25  # space for the title and for the color bar of a panel
AFTER_TITLE = 0.3  # space on the right of a panel's title
LABELS, NO_LABELS = 0.75, 0.2  # space on the left of and below the images, with and without tick labels
HEADER, TITLE_TOP = 0.4, 0.15  # space for the title of the figure, and from the upper end of the figure to the title
BAR_LEFT, BAR_WIDTH = 0.15, 0.15  # of a color bar
MIN_BAR_HEIGHT, MAX_BAR_HEIGHT = 0.6, 2.2
SHORT_BAR = 1.0  # up to this height of a panel its color bar has few ticks
BAR_TICKS, SHORT_BAR_TICKS = 5, 2  # at most


@dataclass(frozen=True)
class Ticks:
    """Tick positions in pixels of the mosaic, their numbers, and the name of the axis."""

    positions: np.ndarray
    numbers: np.ndarray
    name: str


@dataclass(frozen=True)
class Panel:
    """Mosaic of images with a title and a color bar.

    Attributes
    ----------
    title : str
    mosaic : float32 (rows, columns)
        Images with NaN between them; see `mosaic_of`.
    pixel : float
        Width and height of a pixel in inches.
    colors : dict
        Options of imshow.
    unit : str
        Label of the color bar.
    numbers : list of (x, y)
        Middle of the lower end of the numbers 0, 1, 2 ... of the images, in pixels.
    names : sequence of str, optional
        What to write instead of these numbers; upwards, where it is more than a character.
    ticks : (Ticks, Ticks), optional
        Of the rows and of the columns.
    """

    title: str
    mosaic: np.ndarray
    pixel: float
    colors: dict[str, Any]
    unit: str
    numbers: list[tuple[float, float]] = field(default_factory=list)
    names: Sequence[str] = ()
    ticks: tuple[Ticks, Ticks] | None = None

    @property
    def width(self) -> float:
        """Width of the mosaic."""
        return self.pixel * self.mosaic.shape[1]

    @property
    def height(self) -> float:
        """Height of the mosaic."""
        return self.pixel * self.mosaic.shape[0]

    @property
    def margin(self) -> float:
        """Space on the left of and below the mosaic."""
        return LABELS if self.ticks else NO_LABELS

    @property
    def outer_width(self) -> float:
        """Width with labels, color bar and title."""
        title = text_width(self.title, style.TEXT) / style.POINTS_PER_INCH + AFTER_TITLE
        return self.margin + max(self.width + RIGHT, title)

    @property
    def outer_height(self) -> float:
        """Height with labels and title."""
        return ABOVE + self.height + self.margin


def mosaic_of(images: np.ndarray, corners: list[tuple[int, int]]) -> np.ndarray:
    """Copy images (N, H, W) into one array.

    Parameters
    ----------
    images : array (N, H, W)
    corners : list of (top, left)
        Position of each image.

    Returns
    -------
    float32 (rows, columns)
        NaN outside the images.
    """
    N, H, W = images.shape
    mosaic = np.full((max(top for top, _ in corners) + H, max(left for _, left in corners) + W), np.nan, np.float32)
    for image, (top, left) in zip(images, corners, strict=True):
        mosaic[top : top + H, left : left + W] = image
    return mosaic


def diverging(array: np.ndarray) -> dict[str, Any]:
    """Return options of imshow for colors that are white at 0 and reach both ends at the largest absolute value."""
    largest = float(np.abs(array).max()) or 1.0
    return {"cmap": style.DIVERGING, "vmin": -largest, "vmax": largest}


def draw(title: str, panels: list[Panel], head: tuple[float, float] = (0.0, 0.0)) -> "Figure":
    """Draw panels in rows.

    Parameters
    ----------
    title : str
    panels : list of Panel
    head : (width, height)
        Space to leave free between the title and the panels.
    """
    title, rows = style.literal(title), _rows(panels)
    heights = [max(panel.outer_height for panel in row) for row in rows]
    widths = [sum(panel.outer_width for panel in row) for row in rows]
    width = max(*widths, head[0], text_width(title, style.TITLE) / style.POINTS_PER_INCH + 2 * NO_LABELS)
    top = (HEADER if title else 0) + head[1]
    figure = style.new_figure(width, top + sum(heights), layout=None)
    figure.text(NO_LABELS / width, 1 - TITLE_TOP / figure.get_figheight(), title, size=style.TITLE, va="top")
    for row, height in zip(rows, heights, strict=True):
        left = 0.0
        for panel in row:
            _draw_panel(figure, panel, left + panel.margin, top + ABOVE)
            left += panel.outer_width
        top += height
    return figure


def axes_at(figure: "Figure", left: float, top: float, width: float, height: float) -> "Axes":
    """Add axes, given their distances from the left and the upper end of the figure and their size."""
    W, H = figure.get_size_inches()
    return figure.add_axes((left / W, 1 - (top + height) / H, width / W, height / H))


def _rows(panels: list[Panel]) -> list[list[Panel]]:
    rows = [panels[:1]]
    for panel in panels[1:]:
        if sum(other.outer_width for other in rows[-1]) + panel.outer_width > WIDTH:
            rows.append([])
        rows[-1].append(panel)
    return rows


def _draw_panel(figure: "Figure", panel: Panel, left: float, top: float) -> None:
    """Draw the mosaic at this position, and its color bar next to it."""
    from matplotlib.ticker import MaxNLocator

    axes = axes_at(figure, left, top, panel.width, panel.height)
    image = axes.imshow(panel.mosaic, interpolation="none", aspect="auto", **panel.colors)
    axes.set_title(panel.title, fontsize=style.TEXT, loc="left")
    axes.spines[:].set(visible=not (panel.ticks or panel.numbers), color=style.GRAY, linewidth=0.5)
    axes.set(xticks=[], yticks=[])
    for axis, ticks in zip((axes.yaxis, axes.xaxis), panel.ticks or (), strict=False):
        axis.set_ticks(ticks.positions, ticks.numbers)
        axis.set_tick_params(length=0)
        axis.set_label_text(ticks.name)
    names = panel.names or [str(number) for number in range(len(panel.numbers))]
    for name, (x, y) in zip(names, panel.numbers, strict=True):
        rotation = 90 if panel.names and len(name) > 1 else 0
        axes.text(x, y, name, fontsize=style.SMALL, ha="center", va="bottom", rotation=rotation)
    bar_height = min(max(panel.height, MIN_BAR_HEIGHT), MAX_BAR_HEIGHT)
    bar = axes_at(figure, left + panel.width + BAR_LEFT, top, BAR_WIDTH, bar_height)
    bar_ticks = MaxNLocator(BAR_TICKS if panel.height > SHORT_BAR else SHORT_BAR_TICKS)
    figure.colorbar(image, cax=bar, label=panel.unit, ticks=bar_ticks)
