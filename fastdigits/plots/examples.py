"""Plot images with the probabilities of all digits."""

from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdigits.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

COLUMNS = 4
WIDTH, HEIGHT, HEADER = 3.3, 2.2, 0.5  # inches: an image with its bars, and a heading
OTHER, TRUE, WRONG = style.SKY, style.BLUE, style.VERMILION
LEGEND = {"true digit": TRUE, "wrong prediction": WRONG, "other digits": OTHER}


@style.figure_style()
def draw(
    images: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, groups: dict[str, np.ndarray], title: str
) -> "Figure":
    """Draw images, each with a bar for the probability of every digit, in groups with a heading.

    Parameters
    ----------
    images : uint8 (N, H, W)
    labels : uint8 (N,)
    probabilities : float32 (N, classes)
    groups : dict of int arrays
        Indices of the images to draw, by heading; a group may be empty.
    title : str
    """
    from matplotlib.patches import Patch

    heights = [HEADER + HEIGHT * ceil(len(rows) / COLUMNS) for rows in groups.values()]
    figure = style.new_figure(WIDTH * COLUMNS, 2 * HEADER + sum(heights))
    subfigures: Any = figure.subfigures(1 + len(groups), 1, height_ratios=[2 * HEADER, *heights])
    head, *parts = subfigures
    head.suptitle(f"{style.literal(title)}: probability of each digit")
    head.legend(
        handles=[Patch(color=color, label=label) for label, color in LEGEND.items()], loc="lower center", ncols=3
    )
    for part, (heading, rows) in zip(parts, groups.items(), strict=True):
        part.suptitle(heading if len(rows) else f"{heading}: none", fontsize=style.TEXT)
        if len(rows):
            _draw_group(part, images[rows], labels[rows], probabilities[rows])
    return figure


def _draw_group(part: "SubFigure", images: np.ndarray, labels: np.ndarray, probabilities: np.ndarray) -> None:
    lines = ceil(len(images) / COLUMNS)
    panels = part.subplots(lines, 2 * COLUMNS, squeeze=False, width_ratios=[1, 1] * COLUMNS).reshape(-1, 2)
    for (picture, bars), image, label, p in zip(panels, images, labels, probabilities, strict=False):
        style.show_image(picture, image)
        _draw_bars(bars, int(label), p)
    for picture, bars in panels[len(images) :]:
        picture.set_axis_off()
        bars.set_axis_off()


def _draw_bars(axes: "Axes", true: int, p: np.ndarray) -> None:
    classes, predicted = range(len(p)), int(p.argmax())
    colors = [TRUE if digit == true else WRONG if digit == predicted else OTHER for digit in classes]
    axes.barh(classes, p, color=colors)
    axes.set_title(f"{true}" if predicted == true else f"{true} predicted as {predicted}", fontsize=style.SMALL)
    axes.set_yticks(classes, list(map(str, classes)), fontsize=style.SMALL * 0.8)
    axes.set_xticks([0, 1], ["0%", "100%"], fontsize=style.SMALL)
    axes.set_xlim(0, 1)
    axes.invert_yaxis()
    axes.tick_params(length=0)
