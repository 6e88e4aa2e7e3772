"""Run `fastdigits export`: write a trained network in the format of another program."""

import json
import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import click

from fastdigits.cli.actions.common import load_ops, say_written
from fastdigits.cli.options.figure_files import check_files
from fastdigits.cli.terminal.progress import announce_compilation
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
    with _progress() if options.int8 else nullcontext():
        exported = encode(saved, name, options)
    write_atomically(output, exported.content)
    say_written(output)
    if exported.details:
        click.echo(exported.details, err=True)
    summary = {
        "file": output,
        "model": saved.model,
        "format": name,
        "bytes": len(exported.content),
        "note": exported.note,
    }
    click.echo(json.dumps(summary) if as_json else _as_text(summary))


def _progress() -> AbstractContextManager[None]:
    """Show which kernel is being compiled: a network is quantized with the kernels of the CPU."""
    return announce_compilation(load_ops("cpu", None, _say), _say)


def _say(line: str) -> None:
    click.echo(line, err=True)


def _as_text(summary: dict[str, Any]) -> str:
    return f"{summary['model']} as {summary['format']}, {summary['bytes']:,} bytes: {summary['note']}"
