"""Run `fastdigits import`: read a network of another program and write it as a weights file."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import click

from fastdigits.cli.actions.common import say_written
from fastdigits.cli.options.figure_files import check_files
from fastdigits.importing import decode
from fastdigits.importing.saved import saved_network
from fastdigits.models import layers_of, name_of
from fastdigits.nn import Network
from fastdigits.storage.weights import prefix_errors, write


def run(file: str, output: str, model: str | None, mean: float | None, std: float | None, as_json: bool) -> None:
    """Write the network in a file as weights and print what it is.

    Raises
    ------
    UserError
        If the file cannot be read or has no counterpart here, or the weights cannot be written.
    """
    layers = layers_of(model) if model else None
    if os.path.realpath(file) == os.path.realpath(output):
        raise click.UsageError("The output is FILE itself; choose another name.")
    check_files({"--output": output})
    imported = decode(file, layers)
    with prefix_errors(file):
        saved = saved_network(imported, name_of(model) if model else Path(file).stem, mean, std)
    write(output, saved)
    say_written(output)
    network = Network.from_config(saved.network)
    summary = {
        "file": output,
        "model": saved.model,
        "layers": network.names,
        "parameters": network.parameter_count,
        "mean": saved.normalisation.mean,
        "std": saved.normalisation.std,
        "preparation": asdict(saved.normalisation.preparation),
    }
    click.echo(json.dumps(summary) if as_json else _as_text(summary, imported.metadata != {}))


def _as_text(summary: dict, of_fastdigits: bool) -> str:
    source = "as exported" if of_fastdigits else "set --mean and --std if the training had others"
    return (
        f"{summary['model']}: {len(summary['layers'])} layers, {summary['parameters']:,} parameters\n"
        f"pixels from 0 to 1 have mean {summary['mean']:.6g} and standard deviation {summary['std']:.6g} ({source})"
    )
