"""`fastdigits describe`."""

from typing import Any

import click

from fastdigits.cli.options.common import examples, is_given, json_option
from fastdigits.cli.options.figure_files import FigureFile
from fastdigits.cli.options.training import POSITIVE, schedule_options
from fastdigits.config.training import TrainConfig


@click.command(
    "describe",
    epilog=examples(
        "fastdigits describe lenet --picture lenet.svg",
        "fastdigits describe weights.h5 --filters filters.png",
        "fastdigits describe --schedule cosine --warmup 0.1 -o curve.png",
    ),
)
@click.argument("model", metavar="[MODEL|WEIGHTS]", required=False)
@click.option("--picture", type=FigureFile(), metavar="FILE.svg", help="Draw the layers.")
@click.option("--filters", type=FigureFile(), metavar="FILE.png", help="Draw the trained kernels of WEIGHTS.")
@schedule_options(None, TrainConfig().warmup)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=TrainConfig().epochs,
    show_default=True,
    help="Number of epochs of the schedule.",
)
@click.option("--lr", type=POSITIVE, show_default="as in 'train'", help="Peak learning rate.")
@click.option("-o", "--output", type=FigureFile(), metavar="FILE.png", help="Plot the schedule.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    model: str | None,
    picture: str | None,
    filters: str | None,
    schedule: str | None,
    output: str | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Show the layers of a network or a learning-rate schedule.

    For a MODEL (a name or a .toml file of layers) or a WEIGHTS file, list the layers with their output shapes,
    kernels, parameters and multiply-adds per image. With --schedule, list the learning rate over the epochs.
    """
    if (model is None) == (schedule is None):
        raise click.UsageError("Give either a MODEL|WEIGHTS or a --schedule to describe.")
    others, owner = (("picture", "filters"), "MODEL|WEIGHTS") if schedule else (("output", *settings), "--schedule")
    for option in others:
        if is_given(ctx, option):
            name = option.replace("_", "-")
            raise click.UsageError(f"--{name} needs a {owner}; give one, or leave --{name} out.")
    from fastdigits.cli.actions import describe

    if model is not None:
        describe.describe_network(model, picture, filters, as_json)
    elif schedule is not None:
        describe.describe_schedule(schedule, settings, output, as_json)
