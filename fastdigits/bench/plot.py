"""Draw the images per second of all contenders as bars."""

from itertools import product
from typing import TYPE_CHECKING

from fastdigits.bench.comparison import Row
from fastdigits.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_WIDTH, BAR_HEIGHT, MARGIN = 6.5, 0.42, 1.15  # inches


@style.figure_style()
def draw(rows: list[Row], machine: str) -> "Figure":
    """Draw one panel per network, batch size and mode, with one bar per contender.

    Parameters
    ----------
    rows : list of Row
    machine : str
        One line that describes the machine.
    """
    modes = list(dict.fromkeys(row.mode for row in rows))
    workloads = list(dict.fromkeys((row.model, row.batch_size) for row in rows))
    contenders = list(dict.fromkeys(row.contender for row in rows))
    colours = dict(zip(contenders, style.COLORS * len(contenders), strict=False))
    height = len(workloads) * (MARGIN + BAR_HEIGHT * len(contenders)) + 0.5
    figure = style.new_figure(PANEL_WIDTH * len(modes), height)
    figure.suptitle(machine, fontsize=style.SMALL)
    panels = figure.subplots(len(workloads), len(modes), squeeze=False)
    for (i, workload), (j, mode) in product(enumerate(workloads), enumerate(modes)):
        shown = [row for row in rows if (row.model, row.batch_size, row.mode) == (*workload, mode)]
        _panel(panels[i][j], shown, colours)
        panels[i][j].set_title(f"{workload[0]}, {mode}")
    return figure


def _panel(axes: "Axes", rows: list[Row], colours: dict[str, str]) -> None:
    """Draw bars with their values; the thin lines span the middle half of the rounds."""
    speeds = [row.images_per_second for row in rows]
    spread = [
        [speed - row.batch_size / row.quartiles_s[1] for speed, row in zip(speeds, rows, strict=True)],
        [row.batch_size / row.quartiles_s[0] - speed for speed, row in zip(speeds, rows, strict=True)],
    ]
    bars = axes.barh(range(len(rows)), speeds, xerr=spread, color=[colours[row.contender] for row in rows], capsize=3)
    axes.bar_label(bars, [f" {speed:,.0f}" for speed in speeds], padding=4)
    axes.set_yticks(range(len(rows)), [_label(row) for row in rows])
    axes.invert_yaxis()
    axes.set_ylabel(f"batch {rows[0].batch_size}" if rows else "")
    axes.set_xlabel("images per second")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.locator_params(axis="x", nbins=4)
    axes.margins(x=0.28)


def _label(row: Row) -> str:
    lines = [row.contender, f"({row.variant})" if row.variant else "", "disturbed" if row.disturbed else ""]
    return "\n".join(filter(None, lines))
