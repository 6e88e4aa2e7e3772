"""Plot training curves: loss, accuracy and learning rate over the epochs of one or several runs."""

from collections.abc import Callable, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fastdigits.plots import style
from fastdigits.storage.history import Epoch, RunGroup

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Appearance = dict[str, Any]
Metric = Callable[[Epoch], float | None]
TRAINING: Literal["--"] = "--"
VALIDATION: Literal["-"] = "-"
WIDTH, PANEL, RATE_PANEL, LEGEND_LINE = 8.0, 3.2, 1.8, 0.3  # inches
MARKER_SIZE = 5  # points
MAX_MARKERS = 20  # on each line
LINE_WIDTH, COVERED_LINE_WIDTH = 2, 2  # points, and those added for every line that may cover this one
MAX_COVERING = 4  # covering lines that widen a line
THIN: dict[str, Any] = {"linewidth": 0.8, "alpha": 0.45}  # single runs
BAND = 0.2  # opacity
ZERO_DECADES = 0.4  # length of the axis from a rate of 0 to the smallest other one, in decades


@style.figure_style()
def draw(groups: Sequence[RunGroup], title: str = "") -> "Figure":
    """Draw a panel for the loss, one for the accuracy and, if it is known, one for the learning rate.

    Training is dashed, validation solid. A group of several runs is drawn as the mean with a band of one standard
    deviation (of n - 1), and a thin line for the validation of each run.

    Parameters
    ----------
    groups : sequence of RunGroup
        Each gets a color.
    title : str
    """
    heights = [PANEL, PANEL] + [RATE_PANEL] * any(_values(group, _learning_rate) for group in groups)
    figure = style.new_figure(WIDTH, sum(heights) + LEGEND_LINE * (len(groups) // 2 + 3))
    loss, accuracy, *rate = figure.subplots(len(heights), sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    for index, group in enumerate(groups):
        appearance = style.marker_style(index)
        _draw_curves(loss, group, appearance, lambda epoch: epoch.train_loss, lambda epoch: epoch.validation_loss)
        _draw_curves(accuracy, group, appearance, _percent("train_accuracy"), _percent("validation_accuracy"))
        # Equal schedules coincide: a line is widened to be visible below those that cover it
        covering = min(len(groups) - 1 - index, MAX_COVERING)
        width = {"linewidth": LINE_WIDTH + COVERED_LINE_WIDTH * covering}
        for axes in rate:
            _draw_mean(axes, group, _learning_rate, appearance | width, VALIDATION, "learning rate")
    style.label_axes(loss, "", "loss per image")
    style.label_axes(accuracy, "", "accuracy (%)")
    for axes in rate:
        style.label_axes(axes, "", "learning rate")
        _set_rate_scale(axes)
    _set_loss_scale(loss)
    figure.axes[-1].set_xlabel("epoch")
    locator: Any = figure.axes[-1].xaxis.get_major_locator()
    locator.set_params(integer=True, min_n_ticks=1)
    _draw_legend(figure, groups, title)
    figure.align_ylabels()
    return figure


def _draw_curves(axes: "Axes", group: RunGroup, appearance: Appearance, training: Metric, validation: Metric) -> None:
    """Draw training and validation of a group in one panel."""
    _draw_mean(axes, group, training, appearance, TRAINING, "training")
    _draw_mean(axes, group, validation, appearance, VALIDATION, "validation")
    if len(group.runs) > 1:
        for run in group.runs:
            points = [(epoch.epoch, validation(epoch)) for epoch in run if validation(epoch) is not None]
            axes.plot(*zip(*points, strict=True) if points else ([], []), color=appearance["color"], **THIN)


def _draw_mean(axes: "Axes", group: RunGroup, metric: Metric, appearance: Appearance, line: str, name: str) -> None:
    """Draw the mean of the runs at each epoch and, of several runs, a band of one standard deviation."""
    by_epoch = _values(group, metric)
    if not by_epoch:
        return
    epochs, means = list(by_epoch), [np.mean(values) for values in by_epoch.values()]
    every = ceil(len(epochs) / MAX_MARKERS)
    axes.plot(
        epochs, means, line, **appearance, markersize=MARKER_SIZE, markevery=every, label=f"{group.label}, {name}"
    )
    if len(group.runs) > 1:
        spread = [float(np.std(values, ddof=1)) if len(values) > 1 else 0.0 for values in by_epoch.values()]
        low, high = np.subtract(means, spread), np.add(means, spread)
        axes.fill_between(epochs, low, high, color=appearance["color"], alpha=BAND, linewidth=0)


def _values(group: RunGroup, metric: Metric) -> dict[int, list[float]]:
    """Collect the known values of a metric over all runs by epoch."""
    by_epoch: dict[int, list[float]] = {}
    for run in group.runs:
        for epoch in run:
            if (value := metric(epoch)) is not None:
                by_epoch.setdefault(epoch.epoch, []).append(value)
    return dict(sorted(by_epoch.items()))


def _learning_rate(epoch: Epoch) -> float | None:
    return epoch.learning_rate


def _percent(name: str) -> Metric:
    def percent(epoch: Epoch) -> float | None:
        fraction = getattr(epoch, name)
        return None if fraction is None else 100 * fraction

    return percent


def _set_loss_scale(axes: "Axes") -> None:
    """Make the axis logarithmic if all losses are positive: it shows the progress of late epochs, too."""
    losses = np.concatenate([[], *(line.get_ydata() for line in axes.lines)])
    if (losses > 0).all():
        style.set_log_scale(axes, "y", losses.tolist())


def _set_rate_scale(axes: "Axes") -> None:
    """Make the axis logarithmic from half the smallest to twice the largest rate; if a rate is 0, down to 0."""
    rates = np.concatenate([line.get_ydata() for line in axes.lines])
    positive = rates[rates > 0]
    if not positive.size:
        return
    low, high = float(positive.min()), 2 * float(positive.max())
    style.set_log_scale(axes, "y", [low / 2, high])
    axes.set_ylim(low / 2, high)
    if not rates.all():
        ticks = [0, *(tick for tick in axes.get_yticks() if low <= tick <= high)]
        axes.set_yscale("symlog", linthresh=low, linscale=ZERO_DECADES)
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set_ylim(-low / 5, high)  # the marker at 0 is whole


def _draw_legend(figure: "Figure", groups: Sequence[RunGroup], title: str) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [
        Line2D([], [], **style.marker_style(index), label=style.literal(group.label), linewidth=4)
        for index, group in enumerate(groups)
    ]
    handles += [
        Line2D([], [], color=style.GRAY, linestyle=TRAINING, label="training"),
        Line2D([], [], color=style.GRAY, linestyle=VALIDATION, label="validation"),
    ]
    if any(len(group.runs) > 1 for group in groups):
        handles += [
            Patch(color=style.GRAY, alpha=BAND, linewidth=0, label="mean \N{PLUS-MINUS SIGN} standard deviation"),
            Line2D([], [], color=style.GRAY, **THIN, label="validation of each run"),
        ]
    style.legend_above(figure, handles, 2 if len(groups) > 1 else 3, title)
