"""Plot pictures with the steps of their preparation and their predictions."""

from typing import TYPE_CHECKING, Any

import numpy as np

from fastdigits.plots import style
from fastdigits.plots.probabilities import drawn_classes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastdigits.imaging import Box, Prepared
    from fastdigits.inference.numbers import Number
    from fastdigits.inference.recognizer import Prediction

# Lengths in inches
CELL = 2.3  # width of a step of the preparation
ROW = 1.15 * CELL
PAGE = 9.0  # width of a picture of several digits
MIN_HEIGHT, MAX_HEIGHT = 1.5, 9.0  # of a picture of several digits
HEADER = 0.5
STEPS = {"picture": "", "ink": "ink", "components": "components", "28 x 28": "what the network sees"}
UNSCALED = "28 x 28"  # the step that is drawn pixel by pixel
MAX_NAME = 28  # longer file names are shortened to their last characters


@style.figure_style()
def draw(recognized: list[tuple[str, tuple["Prepared", "Prediction"]]]) -> "Figure":
    """Draw a row for each picture: the picture, the steps of its preparation, and the probabilities of the classes.

    Parameters
    ----------
    recognized : list of (name, (Prepared, Prediction))
    """
    columns = len(STEPS) + 1
    figure = style.new_figure(columns * CELL, HEADER + ROW * len(recognized))
    rows = figure.subplots(len(recognized), columns, squeeze=False)
    for row, (name, (prepared, prediction)) in zip(rows, recognized, strict=True):
        pictures = {step.name: step.picture for step in prepared.steps} | {UNSCALED: prepared.image}
        for axes, (step, title) in zip(row, STEPS.items(), strict=False):
            axes.set_axis_off()
            axes.set_anchor("N")  # the upper ends of all panels of a row are level, whatever their shapes
            axes.set_title(title or style.literal(_shorten(name)), fontsize=style.SMALL)
            if step in pictures:
                interpolation = "nearest" if step == UNSCALED else "antialiased"
                style.show_image(axes, pictures[step], interpolation=interpolation)
            else:
                axes.text(0.5, 0.5, "none", color=style.GRAY, ha="center", va="center")
        _draw_probabilities(row[-1], prediction)
    return figure


@style.figure_style()
def draw_numbers(read: list[tuple[str, "np.ndarray", list["Number"]]]) -> "Figure":
    """Draw pictures with a box around every digit and its prediction above it; dashed boxes mark an unsure number.

    Parameters
    ----------
    read : list of (name, picture, numbers)
    """
    heights = [max(MIN_HEIGHT, min(MAX_HEIGHT, PAGE * picture.shape[0] / picture.shape[1])) for _, picture, _ in read]
    figure = style.new_figure(PAGE, sum(heights) + HEADER * len(read))
    rows = figure.subplots(len(read), squeeze=False, height_ratios=heights)[:, 0]
    for axes, (name, picture, numbers) in zip(rows, read, strict=True):
        text = " / ".join(number.text for number in numbers)
        style.show_image(axes, picture, interpolation="antialiased")
        axes.set_title(f"{style.literal(_shorten(name))}: {text or 'no digits'}", fontsize=style.TEXT, loc="left")
        for number in numbers:
            for digit in number.digits:
                _draw_box(axes, digit.box, digit.digit, number.unsure)
    return figure


def _draw_probabilities(axes: "Axes", prediction: "Prediction") -> None:
    colors = [style.GRAY] * len(prediction.probabilities)
    colors[prediction.digit] = style.GRAY if prediction.unsure else style.BLUE
    title = "unsure" if prediction.unsure else f"{style.class_label(prediction.label)}: {prediction.confidence:.1%}"
    classes = drawn_classes(np.array(prediction.probabilities))
    names = [style.class_label(prediction.classes[number]) for number in classes]
    axes.barh(
        range(len(classes)),
        [prediction.probabilities[number] for number in classes],
        color=[colors[number] for number in classes],
    )
    axes.set_box_aspect(1)  # as high as what the network sees
    axes.set_anchor("N")
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"], fontsize=style.SMALL)
    axes.set_yticks(range(len(classes)), names)
    axes.tick_params(axis="y", labelsize=style.SMALL, length=0)
    axes.invert_yaxis()
    axes.set_title(title, fontsize=style.TEXT)


def _draw_box(axes: "Axes", box: "Box", digit: int, unsure: bool) -> None:
    from matplotlib.patches import Rectangle

    color, dashes = (style.VERMILION, "--") if unsure else (style.BLUE, "-")
    corner = box.left - 0.5, box.top - 0.5  # imshow centers pixels on whole numbers
    edge: dict[str, Any] = {"edgecolor": color, "linestyle": dashes, "linewidth": 1.5}
    axes.add_patch(Rectangle(corner, box.width, box.height, fill=False, **edge))
    axes.annotate(
        str(digit),
        corner,
        xytext=(1, 1),
        textcoords="offset points",
        va="bottom",
        color="white",
        fontsize=style.SMALL,
        fontweight="bold",
        bbox={"facecolor": color, "edgecolor": "none", "pad": 1},
    )


def _shorten(name: str) -> str:
    return name if len(name) <= MAX_NAME else "..." + name[-MAX_NAME + 3 :]
