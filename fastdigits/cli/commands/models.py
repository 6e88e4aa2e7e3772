"""`fastdigits models`."""

import json

import click

from fastdigits.cli.options.common import json_option


@click.command("models", epilog="Example: fastdigits models --json")
@json_option
def command(as_json: bool) -> None:
    """List the networks that can be trained."""
    from fastdigits.data.model_results import load_model_results
    from fastdigits.models import MODELS, network_of

    rows, found = [], load_model_results()
    for name, build in MODELS.items():
        network = network_of(name)
        rows.append(
            {
                "model": name,
                "parameters": network.parameter_count,
                "multiply_adds": sum(layer.multiply_adds() for layer in network.layers),
                "description": (build.__doc__ or "").splitlines()[0],
                **found.get(name, {}),
            }
        )
    if as_json:
        click.echo(json.dumps({"models": rows}))
        return
    width = max(len(row["model"]) for row in rows)
    reached = f"{'test accuracy':>15}{'training':>10}" if found else ""
    click.echo(f"{'model':{width}}{'parameters':>12}{'multiply-adds':>15}{reached}")
    for row in rows:
        if row["model"] in found:
            reached = f"{row['test_accuracy']:15.2%}{row['seconds']:8.1f} s"
        else:
            reached = " " * len(reached)
        numbers = f"{row['parameters']:12,}{row['multiply_adds']:15,}"
        click.echo(f"{row['model']:{width}}{numbers}{reached}   {row['description']}")
    machines: dict[str, list[str]] = {}
    for row in rows:
        if "machine" in row:
            machines.setdefault(row["machine"], []).append(row["model"])
    for machine, names in machines.items():
        which = f"; {', '.join(names)}" if len(machines) > 1 else ""
        click.echo(f"test accuracy and seconds of training: mean of several seeds, {machine}{which}")
