"""Loss, accuracy and learning rate over the epochs of one training or of many."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdigits.plots import style
from fastdigits.storage.history import Epoch, RunGroup

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Look = dict[str, Any]
Figures = Callable[[Epoch], float | None]
_STYLES: tuple[Any, Any] = ("--", "-")
TRAINING, VALIDATION = _STYLES
WIDTH, PANEL, RATE_PANEL, LEGEND_LINE = 8.0, 3.2, 1.8, 0.3  # inches
MARKS = 20  # on each line
MAX_COVERED = 4  # lines by others that are the same
THIN: dict[str, Any] = {"linewidth": 0.8, "alpha": 0.45}


@style.figure_style()
def draw(series: Sequence[RunGroup], title: str = "") -> "Figure":
    """A panel for the loss, one for the accuracy, and one for the learning rate where it is known.

    Training is dashed, validation solid. Of several runs the lines are means, the bands one standard deviation
    (of n - 1) to either side, and each run's validation is a thin line.

    Parameters
    ----------
    series : sequence of RunGroup
        Each gets a color.
    title : str
    """
    heights = [PANEL, PANEL] + [RATE_PANEL] * any(_known(one, _rate) for one in series)
    figure = style.new_figure(WIDTH, sum(heights) + LEGEND_LINE * (len(series) // 2 + 2))
    loss, accuracy, *rate = figure.subplots(len(heights), sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    for number, one in enumerate(series):
        look = style.marker_style(number)
        _curves(loss, one, look, lambda epoch: epoch.train_loss, lambda epoch: epoch.validation_loss)
        _curves(accuracy, one, look, _percent("train_accuracy"), _percent("validation_accuracy"))
        for axes in rate:
            covered = {"linewidth": 2 + 2 * min(len(series) - 1 - number, MAX_COVERED)}  # seen beside what covers it
            _mean(axes, one, _rate, look | covered, VALIDATION, "learning rate")
    style.label_axes(loss, "", "loss per image")
    style.label_axes(accuracy, "", "accuracy (%)")
    for axes in rate:
        style.label_axes(axes, "", "learning rate")
        axes.set_ylim(bottom=0)
    _scale(loss)
    figure.axes[-1].set_xlabel("epoch")
    locator: Any = figure.axes[-1].xaxis.get_major_locator()
    locator.set_params(integer=True, min_n_ticks=1)
    _legend(figure, series, title)
    figure.align_ylabels()
    return figure


def _curves(axes: "Axes", series: RunGroup, look: Look, training: Figures, validation: Figures) -> None:
    """Training and validation of a series in one panel."""
    _mean(axes, series, training, look, TRAINING, "training")
    _mean(axes, series, validation, look, VALIDATION, "validation")
    if len(series.runs) > 1:
        for run in series.runs:
            known = [(epoch.epoch, validation(epoch)) for epoch in run if validation(epoch) is not None]
            axes.plot(*zip(*known, strict=True) if known else ([], []), color=look["color"], **THIN)


def _mean(axes: "Axes", series: RunGroup, figures: Figures, look: Look, line: str, name: str) -> None:
    """The mean over the runs that have an epoch, for each epoch, and how far they spread."""
    known = _known(series, figures)
    if not known:
        return
    epochs, means = list(known), [np.mean(values) for values in known.values()]
    every = -(-len(epochs) // MARKS)
    axes.plot(epochs, means, line, **look, markersize=5, markevery=every, label=f"{series.label}, {name}")
    if len(series.runs) > 1:
        spread = [float(np.std(values, ddof=1)) if len(values) > 1 else 0.0 for values in known.values()]
        low, high = np.subtract(means, spread), np.add(means, spread)
        axes.fill_between(epochs, low, high, color=look["color"], alpha=0.2, linewidth=0)


def _known(series: RunGroup, figures: Figures) -> dict[int, list[float]]:
    """Epoch by epoch the figures of all runs that have one."""
    known: dict[int, list[float]] = {}
    for run in series.runs:
        for epoch in run:
            if (value := figures(epoch)) is not None:
                known.setdefault(epoch.epoch, []).append(value)
    return dict(sorted(known.items()))


def _rate(epoch: Epoch) -> float | None:
    return epoch.learning_rate


def _percent(name: str) -> Figures:
    def percent(epoch: Epoch) -> float | None:
        share = getattr(epoch, name)
        return None if share is None else 100 * share

    return percent


def _scale(axes: "Axes") -> None:
    """A logarithmic axis, which shows what happens after the first epochs, where all numbers are above 0."""
    losses = np.concatenate([[], *(line.get_ydata() for line in axes.lines)])
    if (losses > 0).all():
        style.set_log_scale(axes, "y", losses.tolist())


def _legend(figure: "Figure", series: Sequence[RunGroup], title: str) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], **style.marker_style(number), label=style.literal(one.label), linewidth=4)
        for number, one in enumerate(series)
    ]
    handles += [
        Line2D([], [], color=style.GRAY, linestyle=line, label=name)
        for name, line in (("training", TRAINING), ("validation", VALIDATION))
    ]
    style.legend_above(figure, handles, 2 if len(series) > 1 else 3, title)
