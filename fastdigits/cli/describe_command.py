"""`fastdigits describe`."""

import json
import os
from typing import Any

import click

from fastdigits.cli import pictures
from fastdigits.cli.method_options import given, schedule_options
from fastdigits.cli.options import as_usage, json_option
from fastdigits.config import TrainConfig
from fastdigits.errors import UserError


@click.command(
    "describe",
    epilog="Example: fastdigits describe lenet\n\nfastdigits describe --schedule cosine --warmup 0.1 -o curve.png",
)
@click.argument("subject", metavar="[MODEL|WEIGHTS]", required=False)
@schedule_options(None, TrainConfig().warmup)
@click.option(
    "--epochs", type=click.IntRange(min=1), default=TrainConfig().epochs, show_default=True, help="Of the training."
)
@click.option(
    "--lr", type=click.FloatRange(min=0, min_open=True), help="Learning rate at its highest; train's if not given."
)
@click.option(
    "-o", "--output", type=pictures.PictureFile(), metavar="FILE.png", help="Where the curve of the schedule goes."
)
@json_option
@click.pass_context
def command(
    ctx: click.Context, subject: str | None, schedule: str | None, output: str | None, as_json: bool, **settings: Any
) -> None:
    """Show the layers of a MODEL or of a WEIGHTS file: shapes, kernels, parameters, multiply-adds per image.

    MODEL may be a file of layers that ends with .toml.

    Or, with --schedule, the learning rate that it gives, step by step.
    """
    if (subject is None) == (schedule is None):
        raise click.UsageError("Give either a MODEL|WEIGHTS or a --schedule to describe.")
    if schedule is None:
        for option in ("output", *settings):
            if given(ctx, option):
                name = option.replace("_", "-")
                raise click.UsageError(f"--{name} belongs to a --schedule; give one, or leave it out.")
        click.echo(_layers(subject, as_json))
        return
    try:
        config = TrainConfig(schedule=schedule, **settings)
    except UserError as error:
        raise as_usage(error) from None
    from fastdigits.cli import schedule_curve

    curve = schedule_curve.curve(config)
    if output:
        pictures.write(output, schedule_curve.figure(curve))
    click.echo(json.dumps(curve) if as_json else schedule_curve.as_text(curve))


def _layers(subject: str, as_json: bool) -> str:
    from fastdigits.nn.chain import with_inner

    name, network, more = _find(subject)
    rows = [
        {
            "layer": layer_name,
            "type": type(layer).__name__,
            "output_shape": list(layer.output_shape),
            "kernel": _kernel(layer),
            # those of a layer that is made of others are listed with these
            "parameters": 0 if layer.inner()[1] else sum(parameter.size for parameter in layer.parameters),
            "multiply_adds": 0 if layer.inner()[1] else layer.multiply_adds(),
        }
        for layer_name, layer in with_inner(network.names, network.layers)
    ]
    summary = {
        "model": name,
        "input_shape": list(network.input_shape),
        "layers": rows,
        "parameters": sum(row["parameters"] for row in rows),
        "multiply_adds": sum(row["multiply_adds"] for row in rows),
        **more,
    }
    return json.dumps(summary) if as_json else _as_text(summary)


def _find(subject: str) -> tuple[str, Any, dict]:
    """(name of the model, its network, what a weights file adds)."""
    from fastdigits.models import MODELS, description, name_of, network_of

    if subject in MODELS or description.is_file(subject):
        return name_of(subject), network_of(subject), {}
    if not os.path.exists(subject):
        models = ", ".join(MODELS)
        raise click.UsageError(f"'{subject}' is neither a model ({models}) nor a file; see 'fastdigits models'.")
    from fastdigits.nn import Network
    from fastdigits.weights import read

    saved = read(subject)
    trained = {"dataset": saved.dataset, "config": saved.config, "metrics": saved.metrics}
    return saved.model, Network.from_config(saved.network), trained


def _kernel(layer: Any) -> str:
    if hasattr(layer, "weight") and len(layer.weight.shape) == 4:
        kernel = "{} x {}".format(*layer.weight.shape[2:])
        return kernel + (f", stride {layer.stride}" if layer.stride > 1 else "")
    return "{} x {}, stride {}".format(*layer.size, layer.stride) if hasattr(layer, "window") else ""


def _as_text(summary: dict[str, Any]) -> str:
    def shape(sizes: list[int]) -> str:
        return " x ".join(map(str, sizes))

    width = max(14, *(len(row["layer"]) + 2 for row in summary["layers"]))
    line = f"{{:{width}}}{{:>16}}   {{:18}}{{:>12}}{{:>16}}".format
    lines = [
        line(summary["model"], "output shape", "kernel", "parameters", "multiply-adds"),
        line("input", shape(summary["input_shape"]), "", "", ""),
    ]
    for row in summary["layers"]:
        numbers = [f"{row[key]:,}" if row[key] else "" for key in ("parameters", "multiply_adds")]
        lines.append(line(row["layer"], shape(row["output_shape"]), row["kernel"], *numbers))
    lines.append(line("total", "", "", f"{summary['parameters']:,}", f"{summary['multiply_adds']:,}"))
    if "metrics" in summary:
        accuracy = summary["metrics"].get("test_accuracy")
        reached = f", test accuracy {accuracy:.2%}" if isinstance(accuracy, float) else ""
        lines.append(f"trained on {summary['dataset']}{reached}")
    return "\n".join(line.rstrip() for line in lines)
