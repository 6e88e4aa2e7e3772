"""Run `fastdigits sweep results`: rank the settings of a store by validation, compare two, and draw them."""

import json

import click

from fastdigits.cli.actions.common import say_written, write_figure
from fastdigits.cli.actions.sweep_tables import comparison_line, csv_text, lines, markdown
from fastdigits.cli.options.figure_files import check_files, file_type
from fastdigits.cli.terminal.names import printable
from fastdigits.errors import UserError
from fastdigits.files import write_atomically
from fastdigits.plots import sweep
from fastdigits.sweeps.ranking import Comparison, Standing, compared, left_out, pareto_front, ranked
from fastdigits.sweeps.store import RunRow, Store


def run_command(path: str, outputs: tuple[str, ...], kind: str, places: tuple[int, int] | None, as_json: bool) -> None:
    """Print the ranking, and write it to files.

    Raises
    ------
    UserError
        If the store cannot be read, no run is done, or two settings cannot be compared.
    """
    check_files({"-o": outputs})
    rows, standings = ranking_of(path)
    notes = left_out(rows, standings)
    comparison = _comparison(path, standings, places) if places else None
    title = f"{printable(path)}: {sum(len(one.rows) for one in standings):,} runs, {len(standings):,} settings"
    for output in outputs:
        _write(output, standings, kind, title, notes)
        say_written(output)
    if as_json:
        content = [standing.to_dict() for standing in standings]
        difference = comparison.to_dict() if comparison else None
        click.echo(json.dumps({"store": path, "ranking": content, "comparison": difference, "left_out": notes}))
        return
    click.echo("\n".join([*lines(standings), *notes, *([comparison_line(comparison)] if comparison else [])]))


def ranking_of(path: str) -> tuple[list[RunRow], list[Standing]]:
    """Return all runs in a store, and the settings, the best first; raise UserError if no run is done."""
    with Store(path) as store:
        rows = store.rows()
    standings = ranked(rows)
    if not standings:
        raise UserError(f"{path} has no run that is done and validated; run the sweep first.")
    return rows, standings


def _comparison(path: str, standings: list[Standing], places: tuple[int, int]) -> Comparison:
    for place in places:
        if place > len(standings):
            raise UserError(f"{path} has no place {place}; choose 1 to {len(standings)}.")
    return compared(standings[places[0] - 1], standings[places[1] - 1])


def _write(path: str, standings: list[Standing], kind: str, title: str, notes: list[str]) -> None:
    if file_type(path) in ("md", "csv"):
        text = markdown(standings, title, notes) if file_type(path) == "md" else csv_text(standings)
        write_atomically(path, text.encode(errors="replace"))
    elif kind == "seconds":
        write_figure(path, sweep.draw_seconds(standings, pareto_front(standings), title))
    else:
        draw = sweep.draw_parallel if kind == "parallel" else sweep.draw_settings
        write_figure(path, draw(standings, title))
