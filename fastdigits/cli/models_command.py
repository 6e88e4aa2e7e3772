"""`fastdigits models`."""

import json

import click

from fastdigits.cli.options import json_option


@click.command("models", epilog="Example: fastdigits models --json")
@json_option
def command(as_json: bool) -> None:
    """List the networks that can be trained."""
    from fastdigits.models import MODELS, layers_of
    from fastdigits.nn import Network

    rows = []
    for name, build in MODELS.items():
        network = Network(layers_of(name))
        rows.append(
            {
                "model": name,
                "parameters": network.parameter_count,
                "multiply_adds": sum(layer.multiply_adds() for layer in network.layers),
                "description": (build.__doc__ or "").splitlines()[0],
            }
        )
    if as_json:
        click.echo(json.dumps({"models": rows}))
        return
    width = max(len(row["model"]) for row in rows)
    click.echo(f"{'model':{width}}{'parameters':>12}{'multiply-adds':>16}")
    for row in rows:
        click.echo(f"{row['model']:{width}}{row['parameters']:12,}{row['multiply_adds']:16,}   {row['description']}")
