"""`fastdigits describe`."""

import json
from typing import TYPE_CHECKING, Any

import click

from fastdigits.cli.options import figure_files
from fastdigits.cli.options.common import as_usage, json_option
from fastdigits.cli.options.training import given, schedule_options
from fastdigits.config.training import TrainConfig
from fastdigits.errors import UserError

if TYPE_CHECKING:
    from fastdigits.nn import Network
    from fastdigits.storage.weights import SavedNetwork


@click.command(
    "describe",
    epilog="Example: fastdigits describe lenet --picture lenet.svg\n\n"
    "fastdigits describe weights.h5 --filters filters.png\n\n"
    "fastdigits describe --schedule cosine --warmup 0.1 -o curve.png",
)
@click.argument("subject", metavar="[MODEL|WEIGHTS]", required=False)
@click.option("--picture", type=figure_files.PictureFile(), metavar="FILE.svg", help="Draw the layers.")
@click.option(
    "--filters", type=figure_files.PictureFile(), metavar="FILE.png", help="Draw the kernels that WEIGHTS has learned."
)
@schedule_options(None, TrainConfig().warmup)
@click.option(
    "--epochs", type=click.IntRange(min=1), default=TrainConfig().epochs, show_default=True, help="Of the training."
)
@click.option(
    "--lr", type=click.FloatRange(min=0, min_open=True), help="TrainingStep rate at its highest; train's if not given."
)
@click.option(
    "-o", "--output", type=figure_files.PictureFile(), metavar="FILE.png", help="Where the curve of the schedule goes."
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    subject: str | None,
    picture: str | None,
    filters: str | None,
    schedule: str | None,
    output: str | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Show the layers of a MODEL or of a WEIGHTS file: shapes, kernels, parameters, multiply-adds per image.

    MODEL may be a file of layers that ends with .toml.

    Or, with --schedule, the learning rate that it gives, step by step.
    """
    if (subject is None) == (schedule is None):
        raise click.UsageError("Give either a MODEL|WEIGHTS or a --schedule to describe.")
    others, where = (("picture", "filters"), "MODEL|WEIGHTS") if schedule else (("output", *settings), "--schedule")
    for option in others:
        if given(ctx, option):
            name = option.replace("_", "-")
            raise click.UsageError(f"--{name} belongs to a {where}; give one, or leave it out.")
    if subject is not None:
        from fastdigits.cli.actions import describe

        name, network, saved = _find(subject)
        describe.draw(name, network, saved, picture, filters)
        click.echo(_layers(name, network, saved, as_json))
        return
    assert schedule is not None  # checked above: either a subject or a schedule
    try:
        config = TrainConfig(schedule=schedule, **settings)
    except UserError as error:
        raise as_usage(error) from None
    from fastdigits.cli.actions import schedule_curve

    curve = schedule_curve.curve(config)
    if output:
        figure_files.write(output, schedule_curve.figure(curve))
    click.echo(json.dumps(curve) if as_json else schedule_curve.as_text(curve))


def _layers(name: str, network: "Network", saved: "SavedNetwork | None", as_json: bool) -> str:
    from fastdigits.inspection.summary import layer_rows

    rows = layer_rows(network)
    summary = {
        "model": name,
        "input_shape": list(network.input_shape),
        "layers": rows,
        "parameters": sum(row["parameters"] for row in rows),
        "multiply_adds": sum(row["multiply_adds"] for row in rows),
        **({"dataset": saved.dataset, "config": saved.config, "metrics": saved.metrics} if saved else {}),
    }
    return json.dumps(summary) if as_json else _as_text(summary)


def _find(subject: str) -> tuple[str, "Network", "SavedNetwork | None"]:
    """(name of the model, its network, the weights file that it is from, if any)."""
    from fastdigits.cli.options.arguments import find_saved
    from fastdigits.models import name_of, network_of
    from fastdigits.nn import Network

    saved = find_saved(subject)
    if saved is None:
        return name_of(subject), network_of(subject), None
    return saved.model, Network.from_config(saved.network), saved


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
