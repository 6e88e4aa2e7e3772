"""`fastdigits models`."""

import json

import click

from fastdigits.cli.options import json_option


@click.command("models", epilog="Example: fastdigits models --json")
@json_option
def command(as_json: bool) -> None:
    """List the networks that can be trained."""
    from fastdigits.models import MODELS, network_of
    from fastdigits.models.measured import read

    rows, measured = [], read()
    for name, build in MODELS.items():
        network = network_of(name)
        rows.append(
            {
                "model": name,
                "parameters": network.parameter_count,
                "multiply_adds": sum(layer.multiply_adds() for layer in network.layers),
                "description": (build.__doc__ or "").splitlines()[0],
                **({"test_accuracy": measured[name]} if name in measured else {}),
            }
        )
    if as_json:
        click.echo(json.dumps({"models": rows}))
        return
    width = max(len(row["model"]) for row in rows)
    click.echo(f"{'model':{width}}{'parameters':>12}{'multiply-adds':>16}{'test accuracy' if measured else '':>16}")
    for row in rows:
        accuracy = f"{row['test_accuracy']:.2%}" if "test_accuracy" in row else ""
        numbers = f"{row['parameters']:12,}{row['multiply_adds']:16,}" + (f"{accuracy:>16}" if measured else "")
        click.echo(f"{row['model']:{width}}{numbers}   {row['description']}")
