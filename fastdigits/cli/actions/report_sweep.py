"""Run `fastdigits report` on the store of a sweep."""

import json
from collections.abc import Sequence
from datetime import date

import click

from fastdigits.cli.actions.sweep_results import ranking_of
from fastdigits.cli.actions.sweep_tables import cells, comparison_line
from fastdigits.cli.options.figure_files import check_files
from fastdigits.cli.terminal.names import printable
from fastdigits.errors import UserError
from fastdigits.files import write_atomically
from fastdigits.report.page import render
from fastdigits.report.sweep import contents
from fastdigits.sweeps.ranking import Standing, compared, left_out
from fastdigits.sweeps.store import SIGNATURE

COMPARED = 4  # places next to which the first one is put


def is_store(path: str) -> bool:
    """Return whether a file is a database of SQLite."""
    try:
        with open(path, "rb") as file:
            return file.read(len(SIGNATURE)) == SIGNATURE
    except OSError:
        return False  # the reader of weights files says why


def run(path: str, output: str, as_json: bool) -> None:
    """Write the report and print its summary.

    Raises
    ------
    UserError
        If a file cannot be read or written, or no run is done.
    """
    check_files({"--output": output})
    rows, standings = ranking_of(path)
    heads, lines = cells(standings)
    tables = {
        "heads": heads,
        "rows": lines,
        "left": max(len(standings[0].settings), 1) + 1,
        "notes": left_out(rows, standings),
    }
    found = contents(printable(path), rows, standings, date.today().isoformat())
    page = render(found | tables | {"comparisons": _comparisons(standings)}, "sweep.html").encode(errors="replace")
    write_atomically(output, page)
    best = standings[0].accuracy["mean"]
    click.echo(f"{found['title']}: best validation accuracy {best:.2%}", err=as_json)
    click.echo(f"report: {printable(output)}, {len(page) / 1e6:.1f} MB", err=as_json)
    if as_json:
        content = {"store": path, "settings": len(standings), "runs": len(rows), "output": output}
        click.echo(json.dumps(content | {"best": standings[0].to_dict()}))


def _comparisons(standings: Sequence[Standing]) -> list[str]:
    found = []
    for other in standings[1:COMPARED]:
        try:
            found.append(comparison_line(compared(standings[0], other)))
        except UserError:
            continue  # no seed in common
    return found
