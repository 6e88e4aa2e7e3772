"""Run `fastdigits plot`: draw training curves."""

from collections.abc import Sequence

import click

from fastdigits.cli.actions.common import write_figure
from fastdigits.cli.options.figure_files import check_files
from fastdigits.cli.terminal.names import printable
from fastdigits.plots import curves
from fastdigits.storage import training_logs


def run(files: Sequence[str], output: str, title: str) -> None:
    """Plot the training runs in the files."""
    groups = training_logs.read(files)
    check_files({"--output": output})
    write_figure(output, curves.draw(groups, title))
    for group in groups:
        click.echo(group.label)
    click.echo(f"picture: {printable(output)}")
