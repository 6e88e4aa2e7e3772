"""Plot the results of a sweep: accuracy against each setting and against seconds, and parallel coordinates."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log
from typing import TYPE_CHECKING, Any

from fastdigits.errors import UserError
from fastdigits.plots import style
from fastdigits.plots.comparison import error_percent, set_error_scale
from fastdigits.plots.text import setting_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastdigits.sweeps.ranking import Standing

PANEL, AXIS, MIN_WIDTH, HEIGHT, LINE = 4.2, 1.9, 8.0, 4.0, 0.22  # inches
COLUMNS = 3  # of panels
MARKER = 6  # points
RUN_AREA, RUN_OPACITY = 14, 0.35  # of the dot of a run
LOG_RATIO = 8  # values that span at least this ratio get a logarithmic axis
MAX_LABEL, MAX_LETTERS = 16, 30  # characters of a value, and of all values below a panel before they are turned
MIN_DISTANCE = 0.08  # between two labels of an axis of the parallel coordinates, as a share of its length
MARGIN = 1.3  # factor between the extreme seconds and the ends of the axis
MIN_MARGIN = 1.15  # the same of the extreme errors
NARROW = 3.0  # ratio of errors below which the accuracies have evenly spaced ticks
PALEST = 0.15  # opacity of the line of the worst settings
BEST, OTHER, FRONT = style.VERMILION, style.BLUE, style.ORANGE
MAX_PLACES = 8  # different values of a setting that are drawn at equal distances
SPREAD = 0.6  # of the distance over which the means with the same value are spread
ROOM = 0.1  # beyond the first and the last value on an axis, as a share of its length
ACCURACY = "validation accuracy (%)"


@dataclass(frozen=True)
class Axis:
    """The values of a setting on an axis: many numbers, or a few values at equal distances.

    Attributes
    ----------
    name : str
    values : list
        The different values in the order of the axis.
    numeric, logarithmic : bool
        Whether positions are the values themselves, and whether their axis is logarithmic.
    """

    name: str
    values: Sequence[Any]
    numeric: bool
    logarithmic: bool

    @classmethod
    def of(cls, name: str, values: Sequence[Any]) -> "Axis":
        """Return the axis for the values of a setting."""
        known = [*dict.fromkeys(map(_hashable, values))]
        if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
            return cls(name, sorted(known, key=setting_text), False, False)
        known.sort()
        many = len(known) > MAX_PLACES
        return cls(name, known, many, many and known[0] > 0 and known[-1] / known[0] >= LOG_RATIO)

    def position(self, value: Any) -> float:
        """Return the number of a value on its axis."""
        return float(value) if self.numeric else float(self.values.index(_hashable(value)))

    def share(self, value: Any) -> float:
        """Return where a value lies, from 0 to 1."""
        scale = log if self.logarithmic else float
        low, high, x = (scale(self.position(one)) for one in (self.values[0], self.values[-1], value))
        return (x - low) / (high - low) if high > low else 0.5


@style.figure_style()
def draw_settings(standings: Sequence["Standing"], title: str = "") -> "Figure":
    """Draw the validation accuracy against each setting that varies.

    A dot is a run. A marker is the mean of the runs with the same settings, with one standard deviation of several.

    Parameters
    ----------
    standings : sequence of Standing
        The best comes first.
    title : str

    Raises
    ------
    UserError
        If all runs have the same settings.
    """
    every_axis = _axes_of(standings)
    columns = min(COLUMNS, len(every_axis))
    rows = ceil(len(every_axis) / columns)
    figure = style.new_figure(max(PANEL * columns, MIN_WIDTH), HEIGHT * rows + 1)
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axes, axis in zip(panels.flat, every_axis, strict=False):
        _draw_points(axes, standings, _positions(axis, standings))
        _set_setting_axis(axes, axis)
        style.label_axes(axes, _label(axis.name), "")
    for axes in panels.flat[len(every_axis) :]:
        axes.set_visible(False)
    for axes in panels[:, 0]:
        axes.set_ylabel(ACCURACY)
    _set_accuracy_axis(panels[0, 0], standings)
    _draw_legend(figure, standings, title)
    return figure


@style.figure_style()
def draw_seconds(standings: Sequence["Standing"], front: Sequence["Standing"], title: str = "") -> "Figure":
    """Draw the validation accuracy against the seconds of training, with the Pareto front and its settings.

    Parameters
    ----------
    standings : sequence of Standing
        The best comes first.
    front : sequence of Standing
        Those that none beats in both, from the fastest to the best.
    title : str
    """
    figure = style.new_figure(MIN_WIDTH + 2, HEIGHT + 1.5 + LINE * len(front))
    axes = figure.subplots()
    _draw_points(axes, standings, [one.seconds for one in standings], [[row.seconds["train"] for row in one.rows]
                                                                       for one in standings])  # fmt: skip
    steps = [(one.seconds, _percent(one.accuracy["mean"])) for one in front]
    axes.plot(*zip(*steps, strict=True), color=FRONT, drawstyle="steps-post", zorder=1)
    for number, (x, y) in enumerate(steps, 1):
        axes.annotate(str(number), (x, y), (-5, 5), textcoords="offset points", ha="right", fontsize=style.SMALL)
    seconds = [row.seconds["train"] for one in standings for row in one.rows]
    style.set_log_scale(axes, "x", seconds)
    axes.set_xlim(min(seconds) / MARGIN, max(seconds) * MARGIN)
    _set_accuracy_axis(axes, standings)
    style.label_axes(axes, "training (s)", ACCURACY)
    lines = [f"{number}  {_front_label(one)}" for number, one in enumerate(front, 1)]
    _draw_legend(figure, standings, title, front=True)
    figure.supxlabel("\n".join(lines), fontsize=style.SMALL, ha="left", x=0.05)
    return figure


@style.figure_style()
def draw_parallel(standings: Sequence["Standing"], title: str = "") -> "Figure":
    """Draw parallel coordinates: a line for each combination of settings, across an axis for each setting.

    The last axis is the mean validation accuracy; the better, the less transparent the line.

    Parameters
    ----------
    standings : sequence of Standing
        The best comes first.
    title : str

    Raises
    ------
    UserError
        If all runs have the same settings.
    """
    every_axis = _axes_of(standings)
    figure = style.new_figure(max(AXIS * (len(every_axis) + 1), MIN_WIDTH), HEIGHT + 1)
    axes = figure.subplots()
    shares = _accuracy_shares([error_percent(one.accuracy["mean"]) for one in standings])
    for number in reversed(range(len(standings))):
        heights = [axis.share(standings[number].settings[axis.name]) for axis in every_axis] + [shares[number]]
        best: dict[str, Any] = {"color": BEST, "linewidth": 3, "zorder": 3, "label": "best"}
        other = {"color": OTHER, "alpha": PALEST + (1 - PALEST) * shares[number], "linewidth": 1.5}
        axes.plot(heights, **(other if number else best))
    for x, axis in enumerate(every_axis):
        _draw_axis(axes, x, [(axis.share(value), setting_text(value)) for value in axis.values])
    errors = {
        share: f"{100 - error_percent(one.accuracy['mean']):.4g}" for share, one in zip(shares, standings, strict=True)
    }
    _draw_axis(axes, len(every_axis), sorted(errors.items()))
    axes.set_xticks(range(len(every_axis) + 1), [*(_label(axis.name) for axis in every_axis), "accuracy (%)"])
    axes.set(yticks=[], xlim=(-0.2, len(every_axis) + 0.5), ylim=(-0.04, 1.06))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if len(standings) > 1:
        style.legend_above(figure, axes.get_legend_handles_labels()[0], 1, title)
    return figure


def _axes_of(standings: Sequence["Standing"]) -> list[Axis]:
    names = standings[0].settings
    if not names:
        raise UserError("All runs have the same settings, so there is nothing to draw the accuracy against.")
    return [Axis.of(name, [one.settings[name] for one in standings]) for name in names]


def _draw_points(
    axes: "Axes", standings: Sequence["Standing"], means: Sequence[float], runs: Sequence[Sequence[float]] | None = None
) -> None:
    """Draw a dot for each run and a marker for each mean, the best one in a color of its own."""
    for number in reversed(range(len(standings))):
        standing, x = standings[number], means[number]
        accuracy, color = standing.accuracy, BEST if number == 0 else OTHER
        if len(standing.accuracies) > 1:
            at = runs[number] if runs else [x] * len(standing.accuracies)
            dots = [_percent(one) for one in standing.accuracies]
            axes.scatter(at, dots, s=RUN_AREA, color=color, alpha=RUN_OPACITY, linewidth=0)
            axes.errorbar(x, _percent(accuracy["mean"]), 100 * accuracy["std"], color=color, linewidth=1.5, capsize=3)
        axes.plot(x, _percent(accuracy["mean"]), "o", color=color, markersize=MARKER, zorder=2 + (number == 0))


def _set_setting_axis(axes: "Axes", axis: Axis) -> None:
    positions = [axis.position(value) for value in axis.values]
    low, high = positions[0], positions[-1]
    if not axis.numeric:
        axes.set_xticks(positions, [_short(value) for value in axis.values])
        if sum(map(len, map(_short, axis.values))) > MAX_LETTERS:
            axes.tick_params(axis="x", labelrotation=30)
            for tick in axes.get_xticklabels():
                tick.set_horizontalalignment("right")
        axes.set_xlim(low - 0.5, high + 0.5)
    elif axis.logarithmic:
        style.set_log_scale(axes, "x", positions)
        axes.set_xlim(low / (high / low) ** ROOM, high * (high / low) ** ROOM)
    else:
        axes.locator_params(axis="x", nbins=5)
        axes.set_xlim(low - ROOM * (high - low), high + ROOM * (high - low))


def _positions(axis: Axis, standings: Sequence["Standing"]) -> list[float]:
    """Return the position of each mean; those with the same one of a few values lie next to each other, best first."""
    positions = [axis.position(one.settings[axis.name]) for one in standings]
    if axis.numeric:
        return positions
    spread = []
    for number, position in enumerate(positions):
        count, before = positions.count(position), positions[:number].count(position)
        spread.append(position + SPREAD * ((before + 0.5) / count - 0.5))
    return spread


def _set_accuracy_axis(axes: "Axes", standings: Sequence["Standing"]) -> None:
    """Scale the axis by the logarithm of the error, with ticks that suit the range of the runs."""
    from matplotlib.ticker import MaxNLocator

    errors = [error_percent(one.accuracy[name]) for one in standings for name in ("min", "max")]
    set_error_scale(axes, errors)
    ratio = max(errors) / min(errors)
    margin = max(ratio**ROOM, MIN_MARGIN)
    axes.set_ylim(max(0, 100 - max(errors) * margin), 100 - min(errors) / margin)
    if ratio < NARROW:
        axes.yaxis.set_major_locator(MaxNLocator(6))


def _draw_axis(axes: "Axes", x: float, ticks: Sequence[tuple[float, str]]) -> None:
    """Draw a vertical line with labels, as many as have room; the first and the last have."""
    axes.plot([x, x], [0, 1], color=style.GRAY, linewidth=1, zorder=2)
    last = -1.0
    for share, label in ticks:
        if share - last < MIN_DISTANCE or (share < ticks[-1][0] < share + MIN_DISTANCE):
            continue
        last = share
        axes.text(x + 0.03, share + 0.005, _short(label), va="bottom", fontsize=style.SMALL, zorder=4)


def _accuracy_shares(errors: Sequence[float]) -> list[float]:
    """Return how good each error is, from 0 for the largest to 1 for the smallest, by its logarithm."""
    low, high = log(min(errors)), log(max(errors))
    return [(high - log(error)) / (high - low) if high > low else 0.5 for error in errors]


def _draw_legend(figure: "Figure", standings: Sequence["Standing"], title: str, front: bool = False) -> None:
    from matplotlib.lines import Line2D

    several = any(len(one.accuracies) > 1 for one in standings)
    mean = "mean \N{PLUS-MINUS SIGN} standard deviation" if several else "run"
    options: dict[str, Any] = {"marker": "o", "linestyle": "", "markersize": MARKER}
    handles = [Line2D([], [], color=BEST, **options, label=f"best {mean}")]
    if len(standings) > 1:
        handles.append(Line2D([], [], color=OTHER, **options, label=mean))
    if several:
        small = options | {"markersize": RUN_AREA**0.5, "alpha": RUN_OPACITY}
        handles.append(Line2D([], [], color=OTHER, **small, label="run"))
    if front:
        handles.append(Line2D([], [], color=FRONT, label="Pareto front"))
    style.legend_above(figure, handles, len(handles), title)


def _front_label(standing: "Standing") -> str:
    settings = ", ".join(f"{_label(name)} {_short(value)}" for name, value in standing.settings.items())
    return f"{standing.accuracy['mean']:.2%} in {standing.seconds:.3g} s: {settings or standing.rows[0].model}"


def _percent(accuracy: float) -> float:
    return 100 - error_percent(accuracy)


def _label(name: str) -> str:
    return style.literal(name.replace("_", " "))


def _short(value: Any) -> str:
    text = setting_text(value)
    return style.literal(text if len(text) <= MAX_LABEL else f"{text[: MAX_LABEL - 1]}\N{HORIZONTAL ELLIPSIS}")


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
