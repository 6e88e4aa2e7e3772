"""Collect the contents of the report about a sweep."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastdigits import __version__
from fastdigits.plots import curves, sweep
from fastdigits.plots.text import setting_text
from fastdigits.report.page import embedded
from fastdigits.storage.training_logs import from_summaries, group_runs
from fastdigits.sweeps.ranking import Standing, pareto_front
from fastdigits.sweeps.store import RunRow

if TYPE_CHECKING:
    from markupsafe import Markup

Rows = list[tuple[str, str]]  # name, value


def contents(store: str, rows: Sequence[RunRow], standings: Sequence[Standing], date: str) -> dict[str, Any]:
    """Return the variables of the template `sweep.html`, except the tables.

    Parameters
    ----------
    store : str
        Path of the store.
    rows : sequence of RunRow
        All runs in it.
    standings : sequence of Standing
        The settings, the best first.
    date : str
        The date of the report.
    """
    best = standings[0]
    return {
        "title": f"Sweep of {_joined(row.model for row in rows)} on {_joined(row.dataset for row in rows)}",
        "store": store,
        "version": __version__,
        "date": date,
        "metrics": _metrics(rows, standings),
        "best": [(name.replace("_", " "), setting_text(value)) for name, value in best.settings.items()],
        "pictures": _pictures(standings),
        "tests": [_test(row, row.test) for row in rows if row.test],
    }


def _metrics(rows: Sequence[RunRow], standings: Sequence[Standing]) -> Rows:
    best = standings[0]
    spread = "" if best.accuracy["std"] is None else f", standard deviation {best.accuracy['std']:.2%}"
    count = len(best.rows)
    return [
        (
            f"{best.accuracy['mean']:.2%}",
            f"best validation accuracy, mean of {count} {'run' if count == 1 else 'runs'}{spread}",
        ),
        (f"{len(standings):,}", "settings" if len(standings) > 1 else "setting"),
        (f"{len(rows):,}", "runs" if len(rows) > 1 else "run"),
        (f"{sum(row.seconds['train'] for row in rows):,.0f} s", "of training in all runs"),
    ]


def _pictures(standings: Sequence[Standing]) -> dict[str, "Markup"]:
    best = [{"model": row.model, "epochs": row.epochs} for row in standings[0].rows]
    figures = {
        "seconds": sweep.draw_seconds(standings, pareto_front(standings)),
        "curves": curves.draw(group_runs(from_summaries(best))),
    }
    if standings[0].settings:
        figures |= {"settings": sweep.draw_settings(standings), "parallel": sweep.draw_parallel(standings)}
    return {name: embedded(figure) for name, figure in figures.items()}


def _test(row: RunRow, test: dict[str, Any]) -> tuple[str, str]:
    return f"run {row.run}", f"{test['accuracy']:.2%}, {test['correct']:,} of {test['images']:,} images"


def _joined(names: Any) -> str:
    return ", ".join(dict.fromkeys(names))
