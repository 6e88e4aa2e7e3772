"""The whole picture: bodies, what joins them, and their labels."""

from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

from fastdigits.inspection.stages import Stage, stages_of
from fastdigits.nn import Conv2D, Dense, Network
from fastdigits.nn.pooling import AvgPool2D, GlobalAvgPool2D, MaxPool2D
from fastdigits.plots import style
from fastdigits.plots.architecture import connections
from fastdigits.plots.architecture.bodies import NEURON, Neurons
from fastdigits.plots.architecture.labels import LINE
from fastdigits.plots.architecture.layout import Layout, Place
from fastdigits.plots.text import text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGIN, HEADER = 14, 46  # points around the whole, and for the title
POOLS = (MaxPool2D, AvgPool2D, GlobalAvgPool2D)
COLORS = {Conv2D: style.BLUE, Dense: style.GREEN, **dict.fromkeys(POOLS, style.ORANGE)}
MAX_CLASSES = 10  # whose numbers stand beside the last neurons
NOTE = "Volumes to scale: rows upwards, columns into the depth, channels to the right."
MANY = "Of many neurons only some are drawn."


@style.figure_style()
def draw(network: Network, title: str) -> "Figure":
    """The layers of a network: shapes, kernels, parameters, and what is joined to what.

    Convolutions and their like are volumes to scale, with the window that one element of the next volume sees; dense
    layers are neurons. Ways around residual blocks go above them.

    Parameters
    ----------
    network : Network
    title : str
        Its name.
    """
    from matplotlib.figure import Figure

    layout, title = Layout(stages_of(network)), style.literal(title)
    cost = sum(layer.multiply_adds() for layer in network.layers)
    figures = f"{network.parameter_count:,} parameters, {cost:,} multiply-adds for an image"
    notes = [NOTE, *([MANY] if any(isinstance(body, Neurons) and body.hidden for body in layout.bodies) else [])]
    texts = [text_width(title, style.TITLE), text_width(figures, style.TEXT), *map(text_width, notes)]
    width, bottom = max(layout.width, *texts), layout.bottom - LINE * (1 + len(notes))
    figure = Figure(figsize=((width + 2 * MARGIN) / 72, (HEADER - bottom + 2 * MARGIN) / 72))
    limits: dict[str, Any] = {"xlim": (-MARGIN, width + MARGIN), "ylim": (bottom - MARGIN, HEADER + MARGIN)}
    axes = figure.add_axes((0, 0, 1, 1), **limits)
    axes.set_axis_off()
    axes.text(0, HEADER, title, fontsize=style.TITLE, va="top")
    axes.text(0, HEADER - 22, figures, va="top")
    axes.text(0, bottom, "\n".join(notes), fontsize=style.SMALL, color=style.GRAY, va="bottom")
    _draw_places(axes, layout)
    return figure


def color_of(stage: Stage) -> str:
    """That of the kind of layer which makes it."""
    return COLORS.get(type(stage.layers[0]) if stage.layers else None, style.GRAY)


def _draw_places(axes: "Axes", layout: Layout) -> None:
    for place in layout.places:
        place.body.draw(axes, place.x, place.y, color_of(place.stage))
        _draw_label(axes, place)
    for before, place in pairwise(layout.places):
        if before.row == place.row:
            connections.join(axes, before, place)
        else:
            connections.join_rows(axes, before, place, layout)
    connections.draw_skips(axes, layout)
    _draw_classes(axes, layout.places[-1])


def _draw_label(axes: "Axes", place: Place) -> None:
    middle = place.x + place.body.width / 2
    for number, line in enumerate(place.label):
        y, weight = place.label_top - number * LINE, "normal" if number else "bold"
        axes.text(middle, y, line, fontsize=style.SMALL, weight=weight, ha="center", va="top")


def _draw_classes(axes: "Axes", place: Place) -> None:
    """The numbers of the classes beside their neurons."""
    neurons = cast(Neurons, place.body)
    if neurons.drawn <= MAX_CLASSES:
        for number, (x, y) in enumerate(neurons.centers(place.x, place.y)):
            axes.text(x + NEURON, y, str(number), fontsize=style.SMALL * 0.8, va="center_baseline")
