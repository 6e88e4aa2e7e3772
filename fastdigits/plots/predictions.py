"""Pictures beside what was made of them and read in them."""

from typing import TYPE_CHECKING, Any, cast

from fastdigits.plots import style

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastdigits.imaging import Box, Prepared
    from fastdigits.inference.recognizer import Prediction

CELL = 2.3  # inches
TITLES = {"picture": "", "ink": "ink", "components": "components of the digit", "28 x 28": "what the network sees"}
MAX_NAME = 28  # characters of a file's name


@style.figure_style()
def draw(looks: list[tuple[str, tuple["Prepared", "Prediction"]]]) -> "Figure":
    """One row for each picture: the picture, each step of its preparation, and the probabilities of the digits.

    Parameters
    ----------
    looks : list of (name, (Prepared, Prediction))
    """
    figure = style.new_figure(5 * CELL, 0.5 + CELL * 1.15 * len(looks))
    rows = figure.subplots(len(looks), 5, squeeze=False)
    for axes, (name, (prepared, reading)) in zip(rows, looks, strict=True):
        pictures = {step.name: step.picture for step in prepared.steps} | {"28 x 28": prepared.image}
        for place, (step, title) in enumerate(TITLES.items()):
            axes[place].set_axis_off()
            axes[place].set_title(title or _short(name), fontsize=style.SMALL)
            if step in pictures:
                style.show_image(axes[place], pictures[step], interpolation="nearest" if place == 3 else "antialiased")
            else:
                axes[place].text(0.5, 0.5, "none", color=style.GRAY, ha="center", va="center")
        _probabilities(axes[4], reading)
    return figure


@style.figure_style()
def draw_lines(looks: list[tuple[str, "np.ndarray", list[list[tuple["Prepared", "Prediction"]]]]]) -> "Figure":
    """Each picture with a box around every digit and what was read above it; dashed where that is unsure.

    Parameters
    ----------
    looks : list of (name, picture, lines of (Prepared, Prediction))
    """
    heights = [max(1.5, min(9.0, 9.0 * picture.shape[0] / picture.shape[1])) for _, picture, _ in looks]
    figure = style.new_figure(9, sum(heights) + 0.5 * len(looks))
    rows = figure.subplots(len(looks), squeeze=False, height_ratios=heights)[:, 0]
    for axes, (name, picture, lines) in zip(rows, looks, strict=True):
        text = " / ".join("".join(str(reading.digit) for _, reading in line) for line in lines)
        style.show_image(axes, picture, interpolation="antialiased")
        axes.set_title(f"{_short(name)}: {text or 'no digits'}", fontsize=style.TEXT, loc="left")
        for prepared, reading in (look for line in lines for look in line):
            _box(axes, cast("Box", prepared.box), reading)
    return figure


def _probabilities(axes: "Axes", reading: "Prediction") -> None:
    colors = [style.GRAY] * len(reading.probabilities)
    colors[reading.digit] = style.GRAY if reading.unsure else style.BLUE
    axes.barh(range(len(colors)), reading.probabilities, color=colors)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"], fontsize=style.SMALL)
    axes.set_yticks(range(len(colors)))
    axes.tick_params(axis="y", labelsize=style.SMALL, length=0)
    axes.invert_yaxis()
    axes.set_title("unsure" if reading.unsure else f"{reading.digit}: {reading.confidence:.1%}", fontsize=style.TEXT)


def _box(axes: "Axes", box: "Box", reading: "Prediction") -> None:
    from matplotlib.patches import Rectangle

    color, dashes = (style.VERMILION, "--") if reading.unsure else (style.BLUE, "-")
    place = box.left - 0.5, box.top - 0.5
    line: dict[str, Any] = {"edgecolor": color, "linestyle": dashes, "linewidth": 1.5}
    axes.add_patch(Rectangle(place, box.width, box.height, fill=False, **line))
    axes.annotate(
        str(reading.digit),
        place,
        xytext=(1, 1),
        textcoords="offset points",
        va="bottom",
        color="white",
        fontsize=style.SMALL,
        fontweight="bold",
        bbox={"facecolor": color, "edgecolor": "none", "pad": 1},
    )


def _short(name: str) -> str:
    return name if len(name) <= MAX_NAME else "..." + name[-MAX_NAME + 3 :]
