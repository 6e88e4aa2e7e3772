"""`fastdigits models`."""

import click

from fastdigits.cli.options.common import json_option


@click.command("models", epilog="Example: fastdigits models --json")
@json_option
def command(as_json: bool) -> None:
    """List the available models with their sizes and measured accuracies."""
    from fastdigits.cli.actions import models

    models.run(as_json)
