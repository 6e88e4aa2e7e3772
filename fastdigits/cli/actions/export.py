"""Run `fastdigits export`: write a trained network in the format of another program."""

import json
import os

import click

from fastdigits.cli.actions.common import say_written
from fastdigits.cli.options.figure_files import check_files
from fastdigits.errors import UnknownObject, UserError
from fastdigits.export import ExportOptions, encode
from fastdigits.files import write_atomically
from fastdigits.storage.weights import read


def run(weights: str, output: str, name: str, options: ExportOptions, as_json: bool) -> None:
    """Write the network to a file and print what the file holds.

    Raises
    ------
    UserError
        If the weights cannot be read, the format cannot express the network or the file cannot be written.
    """
    if os.path.realpath(weights) == os.path.realpath(output):
        raise click.UsageError("The output is the WEIGHTS file itself; choose another name.")
    check_files({"--output": output})
    try:
        saved = read(weights)
    except UserError as error:
        if isinstance(missing := error.__cause__, UnknownObject) and missing.kind == "layer":
            raise UserError(
                f"{weights}: its layer {missing.name!r} is not part of fastdigits, so no format has it; "
                "export a network without it."
            ) from None
        raise
    exported = encode(saved, name, options)
    write_atomically(output, exported.content)
    say_written(output)
    if exported.details:
        click.echo(exported.details, err=True)
    summary = {"file": output, "format": name, "bytes": len(exported.content), "note": exported.note}
    click.echo(json.dumps(summary) if as_json else f"{name}, {len(exported.content):,} bytes: {exported.note}")
