"""Plot the accuracies and training times of networks in several frameworks."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from fastdigits.plots import style
from fastdigits.plots.comparison import error_percent, set_error_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL, GROUP, HEIGHT = 3.0, 0.9, 4.0  # inches: smallest width of a panel, width of a group, height of a panel
SPREAD = 0.5  # of the width of a group over which its markers are spread
TITLES = {"model": "by network", "framework": "by framework"}


@style.figure_style()
def draw(rows: Sequence[dict[str, Any]], title: str = "") -> "Figure":
    """Draw the test accuracy and the seconds of training, on the left by network and on the right by framework.

    The axis of the accuracy is logarithmic in the error, and that of the seconds in the seconds. Error bars show one
    standard deviation of several runs.

    Parameters
    ----------
    rows : sequence of dict
        Results of `FrameworkResult.to_dict`; those without an accuracy are left out.
    title : str
    """
    drawn = [row for row in rows if row["test_accuracy"]]
    names = {key: [*dict.fromkeys(row[key] for row in drawn)] for key in TITLES}
    widths = [max(PANEL, GROUP * len(names[key])) for key in TITLES]
    figure = style.new_figure(sum(widths) + 2, 2 * HEIGHT)
    all_axes = figure.subplots(2, 2, sharey="row", width_ratios=widths, squeeze=False)
    errors = [error_percent(row["test_accuracy"][name]) for row in drawn for name in ("min", "max")]
    set_error_scale(all_axes[0, 0], errors)
    style.set_log_scale(all_axes[1, 0], "y", [row["train_seconds"]["mean"] for row in drawn])
    for column, (key, other) in enumerate([("model", "framework"), ("framework", "model")]):
        accuracy, seconds = all_axes[:, column]
        _draw_panel(accuracy, drawn, names, (key, other), _accuracy)
        _draw_panel(seconds, drawn, names, (key, other), _seconds)
        style.label_axes(accuracy, "", "" if column else "test accuracy (%)", TITLES[key])
        style.label_axes(seconds, "", "" if column else "training (s)")
        accuracy.legend(title=TITLES[other].removeprefix("by "))
    figure.suptitle(style.literal(title))
    return figure


def _draw_panel(
    axes: "Axes",
    rows: Sequence[dict[str, Any]],
    names: dict[str, list[str]],
    keys: tuple[str, str],
    value_of: Callable[[dict[str, Any]], tuple[float, float]],
) -> None:
    """Draw a group of markers for each name of the first key, and one marker in it for each name of the second."""
    groups, members = (names[key] for key in keys)
    for number, member in enumerate(members):
        chosen = [row for row in rows if row[keys[1]] == member]
        offset = SPREAD * ((number + 0.5) / len(members) - 0.5)
        places = [groups.index(row[keys[0]]) + offset for row in chosen]
        values, deviations = zip(*map(value_of, chosen), strict=True)
        axes.errorbar(
            places,
            values,
            deviations,
            **style.marker_style(number),
            linestyle="",
            capsize=3,
            label=style.literal(member),
        )
    axes.set_xticks(range(len(groups)), [style.literal(group) for group in groups])
    axes.set_xlim(-0.6, len(groups) - 0.4)


def _accuracy(row: dict[str, Any]) -> tuple[float, float]:
    accuracy = row["test_accuracy"]
    return 100 - error_percent(accuracy["mean"]), 100 * (accuracy["std"] or 0.0)


def _seconds(row: dict[str, Any]) -> tuple[float, float]:
    return row["train_seconds"]["mean"], row["train_seconds"]["std"] or 0.0
