"""The confusion matrix: which digits are read as which."""

from typing import TYPE_CHECKING

import numpy as np

from fastdigits.plots import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELL, SMALL_CELL, MAX_LARGE = 0.72, 0.5, 12  # inches; classes whose cells are large and have rates, too
MARGINS = (2.2, 1.4)  # inches around the cells, in width and height
EVENNESS = 0.35  # the power of a share that its color shows, so that few mistakes can be told from none
DARK = 0.715  # from here on text on a color is white
ON_LIGHT, ON_DARK = "#111111", "#ffffff"  # no black, which is that of the ground: a page may be dark


@style.figure_style()
def draw(confusion: np.ndarray, title: str) -> "Figure":
    """How many images of each digit were read as each, and which share of that digit's images these are.

    Parameters
    ----------
    confusion : int (classes, classes)
        The true digits in rows, the digits read in columns.
    title : str
    """
    from matplotlib.colors import PowerNorm

    classes = len(confusion)
    shares = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    large = classes <= MAX_LARGE
    side = classes * (CELL if large else SMALL_CELL)
    figure = style.new_figure(side + MARGINS[0], side + MARGINS[1])
    axes = figure.subplots()
    image = axes.imshow(shares, cmap=style.SEQUENTIAL, norm=PowerNorm(EVENNESS, 0, 1))
    for true, read in zip(*confusion.nonzero(), strict=True):
        share = shares[true, read]
        text = f"{confusion[true, read]:,}" + (f"\n{share:.1%}" if large else "")
        color = ON_DARK if share**EVENNESS > DARK else ON_LIGHT
        axes.text(read, true, text, ha="center", va="center", fontsize=style.SMALL, color=color)
    axes.set_title(style.literal(title))
    axes.set(xlabel="digit read", ylabel="true digit", xticks=range(classes), yticks=range(classes))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    bar = figure.colorbar(image, ax=axes, label="share of the true digit's images", shrink=0.7, pad=0.02)
    bar.set_ticks([0, 0.001, 0.01, 0.1, 0.5, 1], labels=["0%", "0.1%", "1%", "10%", "50%", "100%"])
    return figure
