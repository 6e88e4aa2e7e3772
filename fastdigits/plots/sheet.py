"""Plot many small images on one sheet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fastdigits.plots import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Lengths in dots of a PNG file, so that every pixel of an image is a square of whole dots
TILE, GAP, CAPTION, HEAD, TITLE = 112, 10, 26, 34, 46
BEFORE_CAPTION = 2
CHARACTER = 16  # width of a character, about


@dataclass(frozen=True, eq=False)
class Row:
    """Row of images.

    Attributes
    ----------
    label : str
        Text on the left of the row.
    images : sequence of uint8 (H, W)
        Their sizes may differ.
    captions : sequence of str
        Text below each image.
    """

    label: str
    images: Sequence[np.ndarray]
    captions: Sequence[str] = ()


@style.figure_style()
def draw(rows: Sequence[Row], heads: Sequence[str] = (), title: str = "") -> "Figure":
    """Draw rows of images. Every image is centered in a cell of the size of the largest one.

    Parameters
    ----------
    rows : sequence of Row
    heads : sequence of str
        Text above the columns.
    title : str
    """
    H, W = np.max([image.shape for row in rows for image in row.images], axis=0)
    zoom, columns = max(1, round(TILE / W)), max(len(row.images) for row in rows)
    left = GAP + CHARACTER * max(len(row.label) for row in rows)
    top = GAP + (TITLE if title else 0) + (HEAD if heads else 0)
    column_pitch, row_pitch = zoom * W + GAP, zoom * H + GAP + (CAPTION if any(row.captions for row in rows) else 0)
    width, height = max(left + columns * column_pitch, 2 * GAP + CHARACTER * len(title)), top + len(rows) * row_pitch
    middles = [left + column * column_pitch + zoom * W / 2 for column in range(columns)]
    figure = style.new_figure(width / style.DPI, height / style.DPI, layout="none")
    axes = figure.add_axes((0, 0, 1, 1))
    if title:
        axes.text(GAP, GAP, style.literal(title), fontsize=style.TITLE, va="top")
    for x, head in zip(middles, heads, strict=False):
        axes.text(x, top - GAP, head, ha="center", va="bottom", fontsize=style.SMALL)
    for number, row in enumerate(rows):
        y = top + number * row_pitch + zoom * H / 2
        axes.text(left - GAP, y, row.label, ha="right", va="center")
        for x, image in zip(middles, row.images, strict=False):
            h, w = (zoom * size / 2 for size in image.shape)
            style.show_image(axes, image, extent=(x - w, x + w, y + h, y - h), aspect="auto")
        for x, caption in zip(middles, row.captions, strict=False):
            axes.text(x, y + zoom * H / 2 + BEFORE_CAPTION, caption, ha="center", va="top", fontsize=style.SMALL)
    axes.set(xlim=(0, width), ylim=(height, 0))
    return figure
