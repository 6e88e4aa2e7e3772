"""Plot images with the probabilities of all classes."""

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdigits.nn.class_names import default_names, noun, plural
from fastdigits.plots import style
from fastdigits.plots.probabilities import MAX_BARS, drawn_classes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

COLUMNS = 4
WIDTH, HEIGHT, HEADER = 3.3, 2.2, 0.5  # inches: an image with its bars, and a heading
OTHER, TRUE, WRONG = style.SKY, style.BLUE, style.VERMILION


@style.figure_style()
def draw(
    images: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    groups: dict[str, np.ndarray],
    title: str,
    names: Sequence[str] | None = None,
) -> "Figure":
    """Draw images, each with bars for the probabilities of all or the most probable classes, in groups with a heading.

    Parameters
    ----------
    images : uint8 (N, H, W)
    labels : uint8 (N,)
    probabilities : float32 (N, classes)
    groups : dict of int arrays
        Indices of the images to draw, by heading; a group may be empty.
    title : str
    names : sequence of str, optional
        Names of the classes; their numbers by default.
    """
    from matplotlib.patches import Patch

    names = names or default_names(probabilities.shape[1])
    kind, kinds = noun(names), plural(names)
    which = f"each {kind}" if len(names) <= MAX_BARS else f"the most probable {kinds}"
    legend = {f"true {kind}": TRUE, "wrong prediction": WRONG, f"other {kinds}": OTHER}

    heights = [HEADER + HEIGHT * ceil(len(rows) / COLUMNS) for rows in groups.values()]
    figure = style.new_figure(WIDTH * COLUMNS, 2 * HEADER + sum(heights))
    subfigures: Any = figure.subfigures(1 + len(groups), 1, height_ratios=[2 * HEADER, *heights])
    head, *parts = subfigures
    head.suptitle(f"{style.literal(title)}: probability of {which}")
    head.legend(
        handles=[Patch(color=color, label=label) for label, color in legend.items()], loc="lower center", ncols=3
    )
    for part, (heading, rows) in zip(parts, groups.items(), strict=True):
        part.suptitle(heading if len(rows) else f"{heading}: none", fontsize=style.TEXT)
        if len(rows):
            _draw_group(part, images[rows], labels[rows], probabilities[rows], names)
    return figure


def _draw_group(
    part: "SubFigure", images: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, names: Sequence[str]
) -> None:
    lines = ceil(len(images) / COLUMNS)
    panels = part.subplots(lines, 2 * COLUMNS, squeeze=False, width_ratios=[1, 1] * COLUMNS).reshape(-1, 2)
    for (picture, bars), image, label, p in zip(panels, images, labels, probabilities, strict=False):
        style.show_image(picture, image)
        _draw_bars(bars, int(label), p, names)
    for picture, bars in panels[len(images) :]:
        picture.set_axis_off()
        bars.set_axis_off()


def _draw_bars(axes: "Axes", true: int, p: np.ndarray, names: Sequence[str]) -> None:
    classes, predicted = drawn_classes(p), int(p.argmax())
    colors = [TRUE if number == true else WRONG if number == predicted else OTHER for number in classes]
    shown = [style.class_label(names[number]) for number in (*classes, true, predicted)]
    axes.barh(range(len(classes)), p[classes], color=colors)
    axes.set_title(shown[-2] if predicted == true else f"{shown[-2]} predicted as {shown[-1]}", fontsize=style.SMALL)
    axes.set_yticks(range(len(classes)), shown[:-2], fontsize=style.SMALL * 0.8)
    axes.set_xticks([0, 1], ["0%", "100%"], fontsize=style.SMALL)
    axes.set_xlim(0, 1)
    axes.invert_yaxis()
    axes.tick_params(length=0)
