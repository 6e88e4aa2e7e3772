"""Plot the accuracy of networks against their training and inference times and their numbers of parameters."""

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdigits.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastdigits.inference.compare import ComparedModel

PANEL, MIN_WIDTH, HEIGHT, LEGEND_LINE = 6.0, 9.0, 4.5, 0.32  # inches
LEGEND_COLUMNS = 2
MAX_AREA = 900  # area of the marker of the largest network, in points squared
MIN_PARAMETERS = 0.004  # smaller networks, relative to the largest one, get the marker of this size
MARGIN = 2.0  # factor between the extreme times or errors and the ends of the axis, which then has several ticks
MIN_ERROR = 0.005  # percent: smaller errors are drawn here, as the axis cannot show 0
MIN_ERROR_OF_SCALE = MIN_ERROR / 10  # percent: keeps the logarithm finite outside the axis


@style.figure_style()
def draw(entries: Sequence["ComparedModel"], title: str = "") -> "Figure":
    """Draw the test accuracy against the training time and against the inference time per image.

    The axis of the accuracy is logarithmic in the error. The area of a marker is proportional to the square root of
    the number of parameters. Error bars show one standard deviation of several runs. A panel without any known time is
    left out.

    Parameters
    ----------
    entries : sequence of ComparedModel
        Networks without an accuracy are left out.
    title : str
    """
    drawn = [entry for entry in entries if entry.accuracies]
    panels: dict[str, list[float | None]] = {
        "training (s)": [entry.training["mean"] if entry.training else None for entry in drawn],
        "inference per image (µs)": [entry.inference_s and 1e6 * entry.inference_s for entry in drawn],
    }
    panels = {label: times for label, times in panels.items() if any(times)}
    height = HEIGHT + LEGEND_LINE * (ceil(len(drawn) / LEGEND_COLUMNS) + 1)
    figure = style.new_figure(max(PANEL * len(panels), MIN_WIDTH), height)
    all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (label, times) in zip(all_axes, panels.items(), strict=True):
        _draw_panel(axes, times, drawn)
        style.label_axes(axes, label, "")
    all_axes[0].set_ylabel("test accuracy (%)")
    set_error_scale(all_axes[0], [error_percent(entry.accuracy[name]) for entry in drawn for name in ("min", "max")])
    _draw_legend(figure, drawn, title)
    return figure


def _draw_panel(axes: "Axes", times: Sequence[float | None], entries: Sequence["ComparedModel"]) -> None:
    """Draw a marker for each network whose time is known."""
    largest = max(entry.parameters for entry in entries)
    for number, (x, entry) in enumerate(zip(times, entries, strict=True)):
        if x is None:
            continue
        marker, accuracy = style.marker_style(number), 100 - error_percent(entry.accuracy["mean"])
        area = MAX_AREA * max(entry.parameters / largest, MIN_PARAMETERS) ** 0.5
        axes.scatter(x, accuracy, s=area, **marker, alpha=0.8, label=entry.name)
        if len(entry.accuracies) > 1:
            axes.errorbar(x, accuracy, 100 * entry.accuracy["std"], color=style.BLACK, linewidth=1.5, capsize=4)
    known = [x for x in times if x is not None]
    style.set_log_scale(axes, "x", known)
    axes.set_xlim(min(known) / MARGIN, max(known) * MARGIN)


def error_percent(accuracy: float) -> float:
    """Return the error in percent, at least MIN_ERROR."""
    return max(100 - 100 * accuracy, MIN_ERROR)


def set_error_scale(axes: "Axes", errors: Sequence[float]) -> None:
    """Scale the axis by the logarithm of the error, with a range and ticks for these errors in percent."""
    from matplotlib.ticker import FixedLocator

    def to_scale(accuracy: np.ndarray) -> np.ndarray:
        return -np.log10(np.maximum(100 - np.asarray(accuracy), MIN_ERROR_OF_SCALE))

    def from_scale(scaled: np.ndarray) -> np.ndarray:
        return 100 - 10.0 ** -np.asarray(scaled)

    ticks = [100 - step * power for power in (0.01, 0.1, 1, 10) for step in style.log_ticks(errors)]
    axes.set_yscale("function", functions=(to_scale, from_scale))
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylim(max(0, 100 - MARGIN * max(errors)), 100 - min(errors) / MARGIN)


def _draw_legend(figure: "Figure", entries: Sequence["ComparedModel"], title: str) -> None:
    from matplotlib.lines import Line2D

    labels = [f"{style.literal(entry.name)}: {entry.parameters:,} parameters" for entry in entries]
    options: dict[str, Any] = {"linestyle": "", "markersize": 10}
    handles = [Line2D([], [], **style.marker_style(i), **options, label=label) for i, label in enumerate(labels)]
    style.legend_above(figure, handles, LEGEND_COLUMNS, title)
