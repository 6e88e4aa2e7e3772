"""Draw a network: the bodies of its stages, the connections between them, and labels."""

from collections.abc import Sequence
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

# Lengths in points
MARGIN, HEADER = 14, 46  # around the drawing, and above it for the title and the size of the network
SUBTITLE = 22  # from the upper end of the title to that of the line below it
POOLS = (MaxPool2D, AvgPool2D, GlobalAvgPool2D)
COLORS = {Conv2D: style.BLUE, Dense: style.GREEN, **dict.fromkeys(POOLS, style.ORANGE)}
CLASS_SIZE = style.SMALL * 0.8  # of the text of a class
MAX_CLASSES = 10  # longer output layers have no class numbers
SCALE_NOTE = "Volumes are drawn to scale: rows upwards, columns into the depth, channels to the right."
TRUNCATION_NOTE = "Long columns of neurons are shortened."


@style.figure_style()
def draw(network: Network, title: str) -> "Figure":
    """Draw the layers of a network with their shapes, kernels, parameters and connections.

    Arrays of channels are volumes to scale, with the receptive field of one element of the next volume; vectors are
    columns of neurons. Skip connections pass above their residual blocks.

    Parameters
    ----------
    network : Network
    title : str
        Name of the network.
    """
    layout, title = Layout(stages_of(network)), style.literal(title)
    multiply_adds = sum(layer.multiply_adds() for layer in network.layers)
    subtitle = f"{network.parameter_count:,} parameters, {multiply_adds:,} multiply-adds per image"
    truncated = any(isinstance(body, Neurons) and body.truncated for body in layout.bodies)
    notes = [SCALE_NOTE, TRUNCATION_NOTE] if truncated else [SCALE_NOTE]
    text_widths = [text_width(title, style.TITLE), text_width(subtitle, style.TEXT), *map(text_width, notes)]
    width = max(layout.width, *text_widths, _classes_end(layout.places[-1], network.class_names))
    bottom = layout.bottom - LINE * (1 + len(notes))
    size = (width + 2 * MARGIN) / style.POINTS_PER_INCH, (HEADER - bottom + 2 * MARGIN) / style.POINTS_PER_INCH
    figure = style.new_figure(*size, layout=None)
    limits: dict[str, Any] = {"xlim": (-MARGIN, width + MARGIN), "ylim": (bottom - MARGIN, HEADER + MARGIN)}
    axes = figure.add_axes((0, 0, 1, 1), **limits)
    axes.set_axis_off()
    axes.text(0, HEADER, title, fontsize=style.TITLE, va="top")
    axes.text(0, HEADER - SUBTITLE, subtitle, va="top")
    axes.text(0, bottom, "\n".join(notes), fontsize=style.SMALL, color=style.GRAY, va="bottom")
    _draw_places(axes, layout)
    _draw_classes(axes, layout.places[-1], network.class_names)
    return figure


def color_of(stage: Stage) -> str:
    """Return the color of the layer that makes a stage; gray for the input and all other layers."""
    return COLORS.get(type(stage.layers[0]) if stage.layers else None, style.GRAY)


def _draw_places(axes: "Axes", layout: Layout) -> None:
    for place in layout.places:
        place.body.draw(axes, place.x, place.y, color_of(place.stage))
        _draw_label(axes, place)
    for before, place in pairwise(layout.places):
        if before.row == place.row:
            connections.connect(axes, before, place)
        else:
            connections.connect_rows(axes, before, place, layout)
    connections.draw_skips(axes, layout)


def _draw_label(axes: "Axes", place: Place) -> None:
    middle = place.x + place.body.width / 2
    for number, line in enumerate(place.label):
        y, weight = place.label_top - number * LINE, "normal" if number else "bold"
        axes.text(middle, y, line, fontsize=style.SMALL, weight=weight, ha="center", va="top")


def _class_labels(place: Place, names: Sequence[str]) -> list[tuple[float, float, str]]:
    """Return the position of the name of each class next to its neuron, and the name; none if there are too many."""
    neurons = cast(Neurons, place.body)
    if neurons.drawn > MAX_CLASSES:
        return []
    centers = neurons.centers(place.x, place.y)
    return [(x + NEURON, y, style.class_label(names[number])) for number, (x, y) in enumerate(centers)]


def _classes_end(place: Place, names: Sequence[str]) -> float:
    """Return the right end of the longest name of a class."""
    return max((x + text_width(name, CLASS_SIZE) for x, _, name in _class_labels(place, names)), default=0.0)


def _draw_classes(axes: "Axes", place: Place, names: Sequence[str]) -> None:
    for x, y, name in _class_labels(place, names):
        axes.text(x, y, name, fontsize=CLASS_SIZE, va="center_baseline")
