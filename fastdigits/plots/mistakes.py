"""Plot misclassified images."""

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdigits.nn.class_names import default_names
from fastdigits.plots import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 6
WIDTH, HEIGHT, HEADER = 1.9, 2.8, 0.6  # inches: an image with its text, and the title
MIN_WIDTH = 4.5  # inches, for the title


@style.figure_style()
def draw(
    images: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    rows: np.ndarray,
    title: str,
    names: Sequence[str] | None = None,
) -> "Figure":
    """Draw images, each with its true and its predicted class, their probabilities, and its name for 'explain'.

    Parameters
    ----------
    images : uint8 (N, H, W)
    labels : uint8 (N,)
    probabilities : float32 (N, classes)
    rows : int (M,)
        Indices of the images to draw, in this order.
    title : str
    names : sequence of str, optional
        Names of the classes; their numbers by default.
    """
    shown = [style.class_label(name) for name in names or default_names(probabilities.shape[1])]
    columns = min(max(len(rows), 1), COLUMNS)
    lines = ceil(len(rows) / columns)
    figure = style.new_figure(max(WIDTH * columns, MIN_WIDTH), HEADER + HEIGHT * lines)
    figure.suptitle(style.literal(title))
    layout: Any = figure.get_layout_engine()
    layout.set(h_pad=0.1, hspace=0.05)
    if not len(rows):
        return figure
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, row in zip(panels, rows, strict=False):
        true, p = int(labels[row]), probabilities[row]
        predicted = int(p.argmax())
        style.show_image(axes, images[row])
        axes.set_title(f"{shown[true]} predicted as {shown[predicted]}", fontsize=style.TEXT)
        text = f"p({shown[predicted]}) = {p[predicted]:.1%}\np({shown[true]}) = {p[true]:.1%}\ntest:{row}"
        axes.text(0.5, -0.04, text, transform=axes.transAxes, fontsize=style.SMALL, ha="center", va="top")
    for axes in panels[len(rows) :]:
        axes.set_axis_off()
    return figure
