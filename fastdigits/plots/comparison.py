"""How accurate networks are, against the time that they take and the parameters that they have."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdigits.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastdigits.inference.compare import ComparedModel

PANEL, MIN_WIDTH, HEIGHT, LEGEND_LINE = 6.0, 9.0, 4.5, 0.32  # inches
LARGEST, SMALLEST = 900, 0.004  # points squared, of the mark of the largest network, and the least share of it
MARGIN = 1.7  # times what is wrong, above and below
MIN_ERROR = 0.005  # percent: what nothing wrong is drawn as


@style.figure_style()
def draw(entries: Sequence["ComparedModel"], title: str = "") -> "Figure":
    """Accuracy against the seconds of training, where they are known, and against the time to read an image.

    Equal distances in accuracy are equal ratios of what is wrong; the area of a mark is in proportion to the square
    root of the number of parameters; lines up and down are a standard deviation of several runs.

    Parameters
    ----------
    entries : sequence of ComparedModel
        Those without an accuracy are left out.
    title : str
    """
    drawn = [entry for entry in entries if entry.accuracies]
    panels: dict[str, list[float | None]] = {
        "training (s)": [entry.training["mean"] if entry.training else None for entry in drawn],
        "reading one image (µs)": [entry.inference_s and 1e6 * entry.inference_s for entry in drawn],
    }
    panels = {label: times for label, times in panels.items() if any(times)}
    height = HEIGHT + LEGEND_LINE * (-(-len(drawn) // 2) + 1)
    figure = style.new_figure(max(PANEL * len(panels), MIN_WIDTH), height)
    all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (label, times) in zip(all_axes, panels.items(), strict=True):
        _panel(axes, times, drawn)
        style.label_axes(axes, label, "")
    all_axes[0].set_ylabel("test accuracy (%)")
    _scale(all_axes[0], [_wrong(entry.accuracy[name]) for entry in drawn for name in ("min", "max")])
    _legend(figure, drawn, title)
    return figure


def _panel(axes: "Axes", times: Sequence[float | None], entries: Sequence["ComparedModel"]) -> None:
    """A mark for each network whose time is known."""
    largest = max(entry.parameters for entry in entries)
    for number, (x, entry) in enumerate(zip(times, entries, strict=True)):
        if x is None:
            continue
        look, accuracy = style.marker_style(number), 100 - _wrong(entry.accuracy["mean"])
        size = LARGEST * max(entry.parameters / largest, SMALLEST) ** 0.5
        axes.scatter(x, accuracy, s=size, **look, alpha=0.8, label=entry.name)
        if len(entry.accuracies) > 1:
            axes.errorbar(x, accuracy, 100 * entry.accuracy["std"], color=style.BLACK, linewidth=1.5, capsize=4)
    style.set_log_scale(axes, "x", [x for x in times if x is not None])
    axes.margins(0.15)


def _wrong(accuracy: float) -> float:
    """What is not right, in percent, as far as the axis shows it."""
    return max(100 - 100 * accuracy, MIN_ERROR)


def _scale(axes: "Axes", errors: Sequence[float]) -> None:
    """Such an axis that half of what is wrong is always as far; `errors` are in percent."""
    from matplotlib.ticker import FixedLocator

    def distance(accuracy: np.ndarray) -> np.ndarray:
        return -np.log10(np.maximum(100 - np.asarray(accuracy), MIN_ERROR / 10))

    ticks = [100 - step * power for power in (0.01, 0.1, 1, 10) for step in style.log_ticks(errors)]
    axes.set_yscale("function", functions=(distance, lambda distances: 100 - 10.0 ** -np.asarray(distances)))
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylim(max(0, 100 - MARGIN * max(errors)), 100 - min(errors) / MARGIN)


def _legend(figure: "Figure", entries: Sequence["ComparedModel"], title: str) -> None:
    from matplotlib.lines import Line2D

    words = [f"{style.literal(entry.name)}: {entry.parameters:,} parameters" for entry in entries]
    look: dict[str, Any] = {"linestyle": "", "markersize": 10}
    handles = [Line2D([], [], **style.marker_style(number), **look, label=label) for number, label in enumerate(words)]
    style.legend_above(figure, handles, 2, title)
