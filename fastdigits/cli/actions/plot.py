"""Run `fastdigits plot`: draw training curves."""

from collections.abc import Sequence
from dataclasses import replace

import click

from fastdigits.cli.actions.common import write_figure
from fastdigits.cli.options.figure_files import check_files
from fastdigits.cli.terminal.names import printable
from fastdigits.plots import curves
from fastdigits.storage import training_logs


def run(files: Sequence[str], output: str, labels: Sequence[str], title: str) -> None:
    """Plot the training runs in the files.

    Raises
    ------
    click.UsageError
        If the number of labels, unless there are none, is not that of the curves.
    """
    groups = training_logs.read(files)
    if labels and len(labels) != len(groups):
        names = ", ".join(group.label for group in groups)
        raise click.UsageError(f"Give a --label for each of the curves ({names}): {len(groups)}, not {len(labels)}.")
    groups = [replace(group, label=label) for group, label in zip(groups, labels, strict=True)] if labels else groups
    check_files({"--output": output})
    write_figure(output, curves.draw(groups, title))
    for group in groups:
        click.echo(group.label)
    click.echo(f"picture: {printable(output)}")
