"""Draw the connections between stages: receptive fields, lines between neurons, arrows and skip connections."""

from itertools import product
from typing import TYPE_CHECKING, cast

from fastdigits.plots import style
from fastdigits.plots.architecture.bodies import Box, Neurons, Point
from fastdigits.plots.architecture.labels import skip_label
from fastdigits.plots.architecture.layout import BETWEEN_ROWS, GAP, Layout, Place

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Lengths in points
RADIUS = 6  # of the circle with the plus where a skip connection ends
PLUS = 3.5  # half the length of the lines of the plus
BRANCH, BRANCH_DOT = 9, 2.5  # distance from a body to the dot where a skip connection starts, and the dot's radius
ROW_END = 6  # from the widest row to the line that leads to the next row
BEFORE, AFTER = 2, 4  # between an arrow and the bodies at its head and its tail
LABEL_OFFSET = 4, 3  # from the upper left corner of a skip connection to its label
WINDOW_AT = 0.2  # position of the receptive field, as a fraction of rows and columns
BEHIND = -1  # z-order: below all bodies


def connect(axes: "Axes", before: Place, place: Place) -> None:
    """Connect two neighbors in a row."""
    if isinstance(place.body, Neurons) and isinstance(before.body, Neurons):
        _connect_neurons(axes, before, place)
    elif isinstance(place.body, Neurons) and isinstance(before.body, Box):
        _fan_out(axes, before, place)
    elif place.stage.window and isinstance(before.body, Box):
        _draw_window(axes, before, place.stage.window, (_entry(place), place.y))
    else:
        _draw_arrow(axes, [(before.right + AFTER, place.y), (_entry(place) - BEFORE, place.y)], style.GRAY)


def connect_rows(axes: "Axes", before: Place, place: Place, layout: Layout) -> None:
    """Draw an arrow from the last body of a row to the first body of the next row."""
    right, between = layout.width + ROW_END, layout.bottoms[before.row] - BETWEEN_ROWS / 2
    corners = [(right, before.y), (right, between), (0, between), (0, place.y)]
    points = [(before.right + AFTER, before.y), *corners, (_entry(place) - BEFORE, place.y)]
    _draw_arrow(axes, points, style.GRAY)


def draw_skips(axes: "Axes", layout: Layout) -> None:
    """Draw skip connections, each from a dot after the body before its block to a plus before the last body."""
    from matplotlib.patches import Circle

    right, up = LABEL_OFFSET
    for end, place in enumerate(layout.places):
        if not (skip := place.stage.skip):
            continue
        before, first = layout.places[skip.source : skip.source + 2]
        start = before.right + BRANCH if before.row == first.row else first.x - GAP
        plus = place.x - 2 * RADIUS
        row = [i for i, other in enumerate(layout.places) if other.row == place.row]
        top = max(layout.places[i].top for i in row) + layout.heights(row)[end]
        path = [(start, place.y), (start, top), (plus, top), (plus, place.y + RADIUS)]
        _draw_arrow(axes, path, style.VERMILION)
        axes.add_patch(Circle((start, place.y), BRANCH_DOT, color=style.VERMILION, zorder=3))
        axes.add_patch(Circle((plus, place.y), RADIUS, facecolor="white", edgecolor=style.VERMILION, zorder=3))
        for vertical in (False, True):
            reach = (0, PLUS) if vertical else (PLUS, 0)
            xs, ys = ((c - r, c + r) for c, r in zip((plus, place.y), reach, strict=True))
            axes.plot(xs, ys, color=style.VERMILION, linewidth=1, zorder=4)
        text = "\n".join(skip_label(skip))
        axes.text(start + right, top + up, text, fontsize=style.SMALL, va="bottom")


def _entry(place: Place) -> float:
    """Return the x at which arrows to a body end: at its left end or, if it has one, at its plus."""
    return place.x - 3 * RADIUS if place.stage.skip else place.x


def _connect_neurons(axes: "Axes", before: Place, place: Place) -> None:
    from matplotlib.collections import LineCollection

    starts = cast(Neurons, before.body).centers(before.x, before.y)
    ends = cast(Neurons, place.body).centers(place.x, place.y)
    axes.add_collection(
        LineCollection(list(product(starts, ends)), colors=style.GRAY, linewidths=0.4, alpha=0.45, zorder=BEHIND)
    )


def _fan_out(axes: "Axes", before: Place, place: Place) -> None:
    """Connect the right edge of a volume to all neurons."""
    from matplotlib.patches import Polygon

    edge = cast(Box, before.body).right_edge(before.x, before.y)
    neurons = cast(Neurons, place.body).centers(place.x, place.y)
    corners = [*edge, neurons[-1], neurons[0]]
    axes.add_patch(
        Polygon(corners, facecolor=style.GRAY, edgecolor=style.GRAY, linewidth=0.6, alpha=0.2, zorder=BEHIND)
    )


def _draw_window(axes: "Axes", before: Place, window: tuple[int, int], to: Point) -> None:
    """Draw a receptive field on the right face of a volume, and lines from its corners to a point."""
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Polygon

    _, H, W = before.stage.shape
    rows, columns = min(window[0], H), min(window[1], W)
    top, left = min(WINDOW_AT * H, H - rows), min(WINDOW_AT * W, W - columns)
    corners = cast(Box, before.body).right_face(before.x, before.y, top, left, rows, columns)
    axes.add_patch(Polygon(corners, facecolor="none", edgecolor=style.BLACK, linewidth=0.8))
    lines = [(corner, to) for corner in corners]
    axes.add_collection(LineCollection(lines, colors=style.GRAY, linewidths=0.7, zorder=2))


def _draw_arrow(axes: "Axes", points: list[Point], color: str) -> None:
    """Draw a line through points with an arrowhead at the last one."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    axes.add_patch(
        FancyArrowPatch(path=Path(points), arrowstyle="-|>", mutation_scale=9, color=color, linewidth=1.2, fill=False)
    )
