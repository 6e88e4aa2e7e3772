"""Images per second of all contestants as bars."""

from io import BytesIO
from typing import TYPE_CHECKING

from fastdigits.bench.race import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito (2008), Color universal design: told apart with every kind of colour vision
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
PANEL_WIDTH, BAR_HEIGHT, MARGIN = 6.5, 0.42, 1.15  # inches


def draw(rows: list[Row], machine: str) -> "Figure":
    """One panel for each network and mode, one bar for each contestant.

    Parameters
    ----------
    rows : list of Row
    machine : str
        One line that says what was measured on.
    """
    from matplotlib.figure import Figure

    modes, models = list(dict.fromkeys(row.mode for row in rows)), list(dict.fromkeys(row.model for row in rows))
    contestants = list(dict.fromkeys(row.contestant for row in rows))
    colours = dict(zip(contestants, COLOURS * len(contestants), strict=False))
    height = len(models) * (MARGIN + BAR_HEIGHT * len(contestants)) + 0.5
    figure = Figure(figsize=(PANEL_WIDTH * len(modes), height), layout="constrained")
    figure.suptitle(machine, fontsize=11)
    panels = figure.subplots(len(models), len(modes), squeeze=False)
    for (i, model), (j, mode) in ((a, b) for a in enumerate(models) for b in enumerate(modes)):
        _panel(panels[i][j], [row for row in rows if (row.model, row.mode) == (model, mode)], colours)
        panels[i][j].set_title(f"{model}, {mode}", fontsize=14)
    return figure


def png(figure: "Figure") -> bytes:
    """The figure as the content of a PNG file."""
    content = BytesIO()
    figure.savefig(content, format="png", dpi=130)
    return content.getvalue()


def _panel(axes, rows: list[Row], colours: dict[str, str]) -> None:
    """Bars with their values; the thin lines are the middle half of all rounds."""
    speeds = [row.images_per_second for row in rows]
    spread = [
        [speed - row.batch_size / row.quartiles_s[1] for speed, row in zip(speeds, rows, strict=True)],
        [row.batch_size / row.quartiles_s[0] - speed for speed, row in zip(speeds, rows, strict=True)],
    ]
    bars = axes.barh(range(len(rows)), speeds, xerr=spread, color=[colours[row.contestant] for row in rows], capsize=3)
    axes.bar_label(bars, [f" {speed:,.0f}" for speed in speeds], fontsize=13, padding=4)
    axes.set_yticks(range(len(rows)), [_label(row) for row in rows], fontsize=13)
    axes.invert_yaxis()
    axes.set_ylabel(f"batch {rows[0].batch_size}" if rows else "", fontsize=12)
    axes.set_xlabel("images per second", fontsize=13)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.locator_params(axis="x", nbins=4)
    axes.margins(x=0.28)
    axes.spines[["top", "right"]].set_visible(False)


def _label(row: Row) -> str:
    lines = [row.contestant, f"({row.variant})" if row.variant else "", "disturbed" if row.disturbed else ""]
    return "\n".join(filter(None, lines))
