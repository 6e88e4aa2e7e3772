"""Plot what a network computes for an image: saliency, probabilities and the activations of every stage."""

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdigits.nn.class_names import default_names, noun
from fastdigits.plots import mosaic, style
from fastdigits.plots.probabilities import drawn_classes
from fastdigits.plots.text import text_width, with_times_signs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Lengths in inches
IMAGE = 2.4  # width and height of the image, the saliency maps and the probabilities
SALIENCY, SMOOTHED, PROBABILITIES = IMAGE + 0.6, 2 * IMAGE + 1.9, 3 * IMAGE + 4.2  # left ends
HEAD = (PROBABILITIES + IMAGE + 0.8, IMAGE + 1.1)  # width and height of the space for the four
NOTE = 0.1  # space above the note below the saliency maps
STRIP = 10.6  # width of a row of feature maps, at most
MAX_MAP, NEURON = 1.0, 0.3  # longer side of a feature map, at most, and side of a neuron
NUMBER = 0.24  # space for a number above a neuron
COLUMNS, NEURON_COLUMNS = 16, 32  # feature maps (at most) and neurons in a row
MAP_GAP = 14  # the gap between feature maps is their columns divided by this
NAME_GAP = 0.1  # next to a name that is written upwards
MAX_NUMBERED = 10  # longer layers have no numbers
NUMBER_OFFSET = 0.6  # from the upper end of a neuron's pixel row to its number, in pixels


@style.figure_style()
def draw(
    image: np.ndarray,
    probabilities: np.ndarray,
    maps: dict[str, np.ndarray],
    saliencies: tuple[np.ndarray, np.ndarray],
    title: str,
    names: Sequence[str] | None = None,
    against: int | None = None,
) -> "Figure":
    """Draw the image, its saliency maps and the probabilities, and below them the activations of every stage.

    Parameters
    ----------
    image : uint8 (H, W)
    probabilities : float32 (classes,)
    maps : dict of float32 arrays (C, H, W) or (units,)
        Activations by the names of the layers of their stage.
    saliencies : (float32 (H, W), float32 (H, W))
        Gradient of the highest score with respect to the brightness of each pixel, plain and smoothed.
    title : str
    names : sequence of str, optional
        Names of the classes; their numbers by default.
    against : int, optional
        Class whose score is subtracted from the highest before the gradients are computed.
    """
    names = names or default_names(len(probabilities))
    panels = [_panel(name, array) for name, array in maps.items()]
    if maps and len(names) <= NEURON_COLUMNS and [*maps.values()][-1].shape == (len(names),):
        panels[-1] = _classes(*[*maps.items()][-1], names)
    figure = mosaic.draw(title, panels, HEAD)
    top = mosaic.HEADER + mosaic.ABOVE
    axes = mosaic.axes_at(figure, mosaic.NO_LABELS, top, IMAGE, IMAGE)
    style.show_image(axes, image, aspect="auto")
    axes.set_title("what the network sees", fontsize=style.TEXT, loc="left")
    for kind, saliency, left in zip(("gradient", "smoothed gradient"), saliencies, (SALIENCY, SMOOTHED), strict=True):
        _draw_saliency(figure, saliency, kind, left, top)
    winner = names[int(probabilities.argmax())]
    note = mosaic.axes_at(figure, SALIENCY, top + IMAGE + NOTE, IMAGE, NOTE)
    note.set_axis_off()
    text = _explanation_of_signs(winner, None if against is None else names[against])
    note.text(0, 1, text, transform=note.transAxes, fontsize=style.SMALL, va="top")
    _draw_probabilities(mosaic.axes_at(figure, PROBABILITIES, top, IMAGE, IMAGE), probabilities, names)
    return figure


def _draw_saliency(figure: "Figure", saliency: np.ndarray, title: str, left: float, top: float) -> None:
    axes = mosaic.axes_at(figure, left, top, IMAGE, IMAGE)
    style.show_image(axes, saliency, aspect="auto", **mosaic.diverging(saliency))
    axes.set_title(title, fontsize=style.TEXT, loc="left")
    bar = mosaic.axes_at(figure, left + IMAGE + mosaic.BAR_LEFT, top, mosaic.BAR_WIDTH, IMAGE)
    figure.colorbar(axes.images[0], cax=bar)


def _explanation_of_signs(winner: str, against: str | None) -> str:
    """Say what the colors of the saliency maps mean."""
    winner = style.class_label(winner)
    if against is None:
        return f"of the score of {winner}\nblue: a brighter pixel raises it, red: a brighter pixel lowers it"
    against = style.class_label(against)
    return (
        f"of the score of {winner} minus the score of {against}\n"
        f"blue: a brighter pixel speaks for {winner}, red: a brighter pixel speaks for {against}"
    )


def _draw_probabilities(axes: "Axes", probabilities: np.ndarray, names: Sequence[str]) -> None:
    classes = drawn_classes(probabilities)
    rows, drawn = range(len(classes)), probabilities[classes]
    bars = axes.barh(rows, drawn, color=[style.BLUE if p == drawn.max() else style.SKY for p in drawn])
    axes.bar_label(bars, [f"{p:.1%}" for p in drawn], padding=3, fontsize=style.SMALL, annotation_clip=False)
    axes.set_yticks(rows, [style.class_label(names[number]) for number in classes])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0%", "50%", "100%"])
    axes.set_title("probabilities" if len(classes) == len(names) else "most probable", fontsize=style.TEXT, loc="left")
    axes.set_xlabel("probability")
    axes.set_ylabel(noun(names))


def _panel(name: str, array: np.ndarray) -> mosaic.Panel:
    """Return a panel of the feature maps of a stage, or of its neurons as single pixels."""
    title = _title(name, array)
    return _neurons(title, array) if array.ndim == 1 else _maps(title, array)


def _title(name: str, array: np.ndarray) -> str:
    return f"{name}: {with_times_signs(' x '.join(map(str, array.shape)))}"


def _classes(name: str, array: np.ndarray, names: Sequence[str]) -> mosaic.Panel:
    """Return a panel of the neurons of the last layer with the names of their classes above them."""
    labels = [style.class_label(one) for one in names]
    longest = max(text_width(label, style.SMALL) for label in labels) / style.POINTS_PER_INCH
    space = longest + NAME_GAP if max(map(len, labels)) > 1 else NUMBER
    return _neurons(_title(name, array), array, labels, space)


def _maps(title: str, array: np.ndarray) -> mosaic.Panel:
    C, H, W = array.shape
    gap, columns = max(1, W // MAP_GAP), ceil(C / ceil(C / COLUMNS))
    corners = [(c // columns * (H + gap), c % columns * (W + gap)) for c in range(C)]
    image = mosaic.mosaic_of(array, corners)
    pixel = min(MAX_MAP / max(H, W), STRIP / image.shape[1])
    return mosaic.Panel(title, image, pixel, _colors(array), "activation")


def _neurons(title: str, array: np.ndarray, names: Sequence[str] = (), space: float = NUMBER) -> mosaic.Panel:
    numbered = bool(names) or len(array) <= MAX_NUMBERED
    above = ceil(space / NEURON) if numbered else 0
    corners = [(i // NEURON_COLUMNS + above, i % NEURON_COLUMNS) for i in range(len(array))]
    numbers = [(float(left), above - NUMBER_OFFSET) for _, left in corners if numbered]
    image = mosaic.mosaic_of(array.reshape(-1, 1, 1), corners)
    return mosaic.Panel(title, image, NEURON, _colors(array), "activation", numbers, names)


def _colors(array: np.ndarray) -> dict[str, Any]:
    """Return options of imshow: from black at 0 to white if no value is negative, else white at 0."""
    options = mosaic.diverging(array)
    return options if array.min() < 0 else {**options, "cmap": style.PIXELS, "vmin": 0}
