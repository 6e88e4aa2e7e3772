"""What joins the bodies of two stages: the window that an element sees, lines between neurons, ways around blocks."""

from itertools import product
from typing import TYPE_CHECKING, cast

from fastdigits.plots import style
from fastdigits.plots.architecture.bodies import Box, Neurons, Point
from fastdigits.plots.architecture.labels import skip_label
from fastdigits.plots.architecture.layout import BETWEEN_ROWS, GAP, Layout, Place

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RADIUS = 6  # of the circle with the plus, where two ways meet
SEEN_FROM = 0.2  # of the rows and columns: where the window is drawn that one element sees
BEHIND = -1  # bodies lie in front of what joins them


def join(axes: "Axes", before: Place, place: Place) -> None:
    """Join two neighbours."""
    if isinstance(place.body, Neurons) and isinstance(before.body, Neurons):
        _join_neurons(axes, before, place)
    elif isinstance(place.body, Neurons) and isinstance(before.body, Box):
        _fan_out(axes, before, place)
    elif place.stage.window and isinstance(before.body, Box):
        _draw_window(axes, before, place.stage.window, (_entry(place), place.y))
    else:
        _arrow(axes, [(before.right + 4, place.y), (_entry(place) - 2, place.y)], style.GRAY)


def join_rows(axes: "Axes", before: Place, place: Place, layout: Layout) -> None:
    """Lead from the end of a row to the beginning of the next one."""
    right, between = layout.width + 6, layout.bottoms[before.row] - BETWEEN_ROWS / 2
    corners = [(right, before.y), (right, between), (0, between), (0, place.y)]
    _arrow(axes, [(before.right + 4, before.y), *corners, (_entry(place) - 2, place.y)], style.GRAY)


def draw_skips(axes: "Axes", layout: Layout) -> None:
    """Ways around residual blocks: from a dot behind one body to a plus before another."""
    from matplotlib.patches import Circle

    for end, place in enumerate(layout.places):
        if not (skip := place.stage.skip):
            continue
        before, first = layout.places[skip.source : skip.source + 2]
        start = before.right + 9 if before.row == first.row else first.x - GAP
        plus = place.x - 2 * RADIUS
        row = [i for i, other in enumerate(layout.places) if other.row == place.row]
        top = max(layout.places[i].top for i in row) + layout.heights(row)[end]
        way = [(start, place.y), (start, top), (plus, top), (plus, place.y + RADIUS)]
        _arrow(axes, way, style.VERMILION)
        axes.add_patch(Circle((start, place.y), 2.5, color=style.VERMILION, zorder=3))
        axes.add_patch(Circle((plus, place.y), RADIUS, facecolor="white", edgecolor=style.VERMILION, zorder=3))
        for vertical in (False, True):
            reach = (0, 3.5) if vertical else (3.5, 0)
            xs, ys = ((c - r, c + r) for c, r in zip((plus, place.y), reach, strict=True))
            axes.plot(xs, ys, color=style.VERMILION, linewidth=1, zorder=4)
        text = "\n".join(skip_label(skip))
        axes.text(start + 4, top + 3, text, fontsize=style.SMALL, va="bottom")


def _entry(place: Place) -> float:
    """Where what leads to a body ends: at its left, or at the plus before it."""
    return place.x - 3 * RADIUS if place.stage.skip else place.x


def _join_neurons(axes: "Axes", before: Place, place: Place) -> None:
    from matplotlib.collections import LineCollection

    ends = product(
        cast(Neurons, before.body).centers(before.x, before.y), cast(Neurons, place.body).centers(place.x, place.y)
    )
    axes.add_collection(LineCollection(list(ends), colors=style.GRAY, linewidths=0.4, alpha=0.45, zorder=BEHIND))


def _fan_out(axes: "Axes", before: Place, place: Place) -> None:
    """From the right edge of a volume to all neurons."""
    from matplotlib.patches import Polygon

    edge = cast(Box, before.body).right_edge(before.x, before.y)
    neurons = cast(Neurons, place.body).centers(place.x, place.y)
    corners = [*edge, neurons[-1], neurons[0]]
    axes.add_patch(
        Polygon(corners, facecolor=style.GRAY, edgecolor=style.GRAY, linewidth=0.6, alpha=0.2, zorder=BEHIND)
    )


def _draw_window(axes: "Axes", before: Place, window: tuple[int, int], to: Point) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Polygon

    _, H, W = before.stage.shape
    rows, columns = min(window[0], H), min(window[1], W)
    top, left = min(SEEN_FROM * H, H - rows), min(SEEN_FROM * W, W - columns)
    corners = cast(Box, before.body).right_face(before.x, before.y, top, left, rows, columns)
    axes.add_patch(Polygon(corners, facecolor="none", edgecolor=style.BLACK, linewidth=0.8))
    lines = [(corner, to) for corner in corners]
    axes.add_collection(LineCollection(lines, colors=style.GRAY, linewidths=0.7, zorder=2))


def _arrow(axes: "Axes", points: list[Point], color: str) -> None:
    """A line through points that ends with an arrow."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    axes.add_patch(
        FancyArrowPatch(path=Path(points), arrowstyle="-|>", mutation_scale=9, color=color, linewidth=1.2, fill=False)
    )
