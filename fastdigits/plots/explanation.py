"""How a network reads an image: which pixels decide, what it is sure of, and what each layer makes of the image."""

from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from fastdigits.plots import mosaic, style
from fastdigits.plots.text import with_times_signs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

IMAGE = 2.6  # inches of the image and what stands beside it
SALIENCY, PROBABILITIES = IMAGE + 0.6, 2 * IMAGE + 2.8  # where these are, from the left
HEAD = (PROBABILITIES + IMAGE + 0.3, IMAGE + 1.0)
STRIP = 10.6  # inches of a row of maps at most
COLUMNS = 16  # maps in a row
LARGEST, NEURON = 1.0, 0.3  # inches of a map and of a neuron's activity at most
NUMBER = 0.24  # inches above what is numbered
MAX_NUMBERED = 10  # neurons


@style.figure_style()
def draw(
    image: np.ndarray, probabilities: np.ndarray, maps: dict[str, np.ndarray], saliency: np.ndarray, title: str
) -> "Figure":
    """The image, the gradient of the winning score, the probabilities, and below them the maps of every layer.

    Parameters
    ----------
    image : uint8 (H, W)
    probabilities : float32 (classes,)
    maps : dict of float32 arrays (C, H, W) or (units,)
        By the names of the layers that make them.
    saliency : float32 (H, W)
        The gradient of the winning score by the brightness of each pixel.
    title : str
    """
    figure = mosaic.draw(title, [_panel(name, array) for name, array in maps.items()], HEAD)
    top = mosaic.HEADER + mosaic.ABOVE
    of_image = mosaic.axes_at(figure, mosaic.NO_LABELS, top, IMAGE, IMAGE)
    style.show_image(of_image, image, aspect="auto")
    of_image.set_title("what the network sees", fontsize=style.TEXT, loc="left")
    _draw_saliency(figure, saliency, int(probabilities.argmax()), top)
    _draw_probabilities(mosaic.axes_at(figure, PROBABILITIES, top, IMAGE, IMAGE), probabilities)
    return figure


def _draw_saliency(figure: "Figure", saliency: np.ndarray, digit: int, top: float) -> None:
    most = float(np.abs(saliency).max()) or 1.0
    axes = mosaic.axes_at(figure, SALIENCY, top, IMAGE, IMAGE)
    colors = {"cmap": style.DIVERGING, "vmin": -most, "vmax": most}
    style.show_image(axes, saliency, aspect="auto", **colors)
    axes.set_title(f"which pixels make it a {digit}", fontsize=style.TEXT, loc="left")
    bar = mosaic.axes_at(figure, SALIENCY + IMAGE + mosaic.BAR_LEFT, top, mosaic.BAR_WIDTH, IMAGE)
    figure.colorbar(axes.images[0], cax=bar, label="change of the score\nby brightness")


def _draw_probabilities(axes: "Axes", probabilities: np.ndarray) -> None:
    digits = range(len(probabilities))
    colors = [style.BLUE if digit == probabilities.argmax() else style.SKY for digit in digits]
    bars = axes.barh(digits, probabilities, color=colors)
    axes.bar_label(bars, [f"{share:.1%}" for share in probabilities], padding=3, fontsize=style.SMALL)
    axes.set_yticks(digits, list(map(str, digits)))
    axes.invert_yaxis()
    axes.set_xlim(0, 1.25)
    axes.set_xticks([0, 0.5, 1], ["0%", "50%", "100%"])
    axes.set_title("how sure it is", fontsize=style.TEXT, loc="left")
    axes.set_xlabel("probability")
    axes.set_ylabel("digit")


def _panel(name: str, array: np.ndarray) -> mosaic.Panel:
    """The maps of a stage, or its neurons as single pixels."""
    size = with_times_signs(" x ".join(map(str, array.shape)))
    return _neurons(f"{name}: {size}", array) if array.ndim == 1 else _maps(f"{name}: {size}", array)


def _maps(title: str, array: np.ndarray) -> mosaic.Panel:
    C, H, W = array.shape
    gap = max(1, W // 14)
    corners = [(c // COLUMNS * (H + gap), c % COLUMNS * (W + gap)) for c in range(C)]
    image = mosaic.mosaic_of(array, corners)
    pixel = min(LARGEST / max(H, W), STRIP / image.shape[1])
    return mosaic.Panel(title, image, pixel, _colors(array), "activity")


def _neurons(title: str, array: np.ndarray) -> mosaic.Panel:
    numbered = len(array) <= MAX_NUMBERED
    columns, above = 32, ceil(NUMBER / NEURON) if numbered else 0
    corners = [(i // columns + above, i % columns) for i in range(len(array))]
    numbers = [(float(left), above - 0.6) for _, left in corners if numbered]
    image = mosaic.mosaic_of(array.reshape(-1, 1, 1), corners)
    return mosaic.Panel(title, image, NEURON, _colors(array), "activity", numbers)


def _colors(array: np.ndarray) -> dict:
    """From black where nothing is below 0, else white at 0."""
    most = float(np.abs(array).max()) or 1.0
    if array.min() >= 0:
        return {"cmap": style.PIXELS, "vmin": 0, "vmax": most}
    return {"cmap": style.DIVERGING, "vmin": -most, "vmax": most}
