"""Plot the confusion matrix."""

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from fastdigits.nn.class_names import default_names, noun
from fastdigits.plots import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELL, SMALL_CELL = 0.72, 0.5  # inches
MAX_LARGE = 12  # classes of a matrix with large cells, which show rates, too
MAX_NUMBERED = 60  # classes of a matrix with counts and a name for each row and column
MAX_SIDE = MAX_NUMBERED * SMALL_CELL  # inches of a matrix of any number of classes
MAX_LEVEL = 3  # characters of the longest name that is written horizontally below the matrix
MARGINS = (2.2, 1.4)  # inches around the cells, in width and height
GAMMA = 0.35  # exponent of the color scale: makes rare mistakes visible
DARK = 0.715  # value of the color scale from which text is white
ON_LIGHT, ON_DARK = "#111111", "#ffffff"  # not style.BLACK, which the report turns white on a dark page


@style.figure_style()
def draw(confusion: np.ndarray, title: str, names: Sequence[str] | None = None) -> "Figure":
    """Draw a confusion matrix with the counts of up to 60 classes and, for up to 12, the rates of each row.

    Parameters
    ----------
    confusion : int (classes, classes)
        Number of images by true class, in rows, and predicted class, in columns.
    title : str
    names : sequence of str, optional
        Names of the classes; their numbers by default.
    """
    from matplotlib.colors import PowerNorm

    classes = len(confusion)
    rates = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    large = classes <= MAX_LARGE
    names = default_names(classes) if names is None else names
    kind = noun(names)
    side = min(classes * (CELL if large else SMALL_CELL), MAX_SIDE)
    figure = style.new_figure(side + MARGINS[0], side + MARGINS[1])
    axes = figure.subplots()
    image = axes.imshow(rates, cmap=style.SEQUENTIAL, norm=PowerNorm(GAMMA, 0, 1))
    for true, predicted in zip(*confusion.nonzero(), strict=True) if classes <= MAX_NUMBERED else ():
        rate = rates[true, predicted]
        text = f"{confusion[true, predicted]:,}" + (f"\n{rate:.1%}" if large else "")
        color = ON_DARK if rate**GAMMA > DARK else ON_LIGHT
        axes.text(predicted, true, text, ha="center", va="center", fontsize=style.SMALL, color=color)
    axes.set_title(style.literal(title))
    axes.set(xlabel=f"predicted {kind}", ylabel=f"true {kind}")
    ticks = range(0, classes, ceil(classes / MAX_NUMBERED))
    labels = [style.class_label(names[number]) for number in ticks]
    axes.set_xticks(ticks, labels, rotation=90 if max(map(len, labels)) > MAX_LEVEL else 0)
    axes.set_yticks(ticks, labels)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    bar = figure.colorbar(image, ax=axes, label=f"fraction of the true {kind}'s images", shrink=0.7, pad=0.02)
    bar.set_ticks([0, 0.001, 0.01, 0.1, 0.5, 1], labels=["0%", "0.1%", "1%", "10%", "50%", "100%"])
    return figure
