"""Plot the confusion matrix."""

from typing import TYPE_CHECKING

import numpy as np

from fastdigits.plots import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELL, SMALL_CELL = 0.72, 0.5  # inches
MAX_LARGE = 12  # classes of a matrix with large cells, which show rates, too
MARGINS = (2.2, 1.4)  # inches around the cells, in width and height
GAMMA = 0.35  # exponent of the color scale: makes rare mistakes visible
DARK = 0.715  # value of the color scale from which text is white
ON_LIGHT, ON_DARK = "#111111", "#ffffff"  # not style.BLACK, which the report turns white on a dark page


@style.figure_style()
def draw(confusion: np.ndarray, title: str) -> "Figure":
    """Draw a confusion matrix with the counts and, for up to 12 classes, the rates of each row.

    Parameters
    ----------
    confusion : int (classes, classes)
        Number of images by true digit, in rows, and predicted digit, in columns.
    title : str
    """
    from matplotlib.colors import PowerNorm

    classes = len(confusion)
    rates = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    large = classes <= MAX_LARGE
    side = classes * (CELL if large else SMALL_CELL)
    figure = style.new_figure(side + MARGINS[0], side + MARGINS[1])
    axes = figure.subplots()
    image = axes.imshow(rates, cmap=style.SEQUENTIAL, norm=PowerNorm(GAMMA, 0, 1))
    for true, predicted in zip(*confusion.nonzero(), strict=True):
        rate = rates[true, predicted]
        text = f"{confusion[true, predicted]:,}" + (f"\n{rate:.1%}" if large else "")
        color = ON_DARK if rate**GAMMA > DARK else ON_LIGHT
        axes.text(predicted, true, text, ha="center", va="center", fontsize=style.SMALL, color=color)
    axes.set_title(style.literal(title))
    axes.set(xlabel="predicted digit", ylabel="true digit", xticks=range(classes), yticks=range(classes))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    bar = figure.colorbar(image, ax=axes, label="fraction of the true digit's images", shrink=0.7, pad=0.02)
    bar.set_ticks([0, 0.001, 0.01, 0.1, 0.5, 1], labels=["0%", "0.1%", "1%", "10%", "50%", "100%"])
    return figure
