"""`fastdigits train`."""

from time import perf_counter
from typing import Any

import click

from fastdigits.cli.options.common import (
    LayerSizes,
    ModelName,
    data_option,
    device_option,
    exact_option,
    json_option,
    threads_option,
)
from fastdigits.cli.options.figure_files import PictureFile
from fastdigits.cli.options.images import image_options
from fastdigits.cli.options.training import (
    BatchSize,
    check_together,
    learning_options,
    repeat_options,
    schedule_options,
)
from fastdigits.cli.options.training import show as listing
from fastdigits.config.choices import ACTIVATIONS, INITIALIZERS, POOLINGS
from fastdigits.config.recipes import MODEL_SETTINGS, RECIPES
from fastdigits.config.training import LOSSES, MODEL, OPTIMIZERS, TrainConfig

DEFAULT = TrainConfig()
RATE = click.FloatRange(min=0, min_open=True)
SHARE = click.FloatRange(min=0, max=1, max_open=True)


def _follow_recipe(ctx: click.Context, param: click.Parameter, name: str) -> None:
    """Make the recipe's options the defaults; those on the command line come before defaults."""
    ctx.default_map = {**(ctx.default_map or {}), **RECIPES[name]}


def _follow_model(ctx: click.Context, param: click.Parameter, model: str) -> str:
    """Let the network's own settings come before the defaults, but after a recipe."""
    ctx.default_map = {**MODEL_SETTINGS.get(model, {}), **(ctx.default_map or {})}
    return model


@click.command("train", epilog="Example: fastdigits train --model lenet --epochs 3 --output lenet.h5")
@click.option(
    "--recipe",
    type=click.Choice(list(RECIPES)),
    default="default",
    show_default=True,
    is_eager=True,
    expose_value=False,
    callback=_follow_recipe,
    help="A set of options; fast reaches 99 % in the least time.",
)
@click.option(
    "--model",
    type=ModelName(),
    default=MODEL,
    show_default=True,
    is_eager=True,
    callback=_follow_model,
    help="See 'fastdigits models'; or a file of layers that ends with .toml.",
)
@device_option
@data_option
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=DEFAULT.epochs,
    show_default=True,
    help="How often every image is learned from.",
)
@click.option(
    "--batch-size",
    type=BatchSize(),
    metavar="IMAGES|all",
    default=DEFAULT.batch_size,
    show_default=True,
    help="Images that a step learns from; all: one step in every epoch.",
)
@click.option(
    "--optimizer",
    type=click.Choice(list(OPTIMIZERS)),
    default=DEFAULT.optimizer,
    show_default=True,
    help="How the gradients change the weights.",
)
@click.option("--lr", type=RATE, help="TrainingStep rate at its highest; the optimiser's usual one if not given.")
@click.option("--momentum", type=SHARE, default=DEFAULT.momentum, show_default=True, help="For momentum and nesterov.")
@click.option("--beta1", type=SHARE, default=DEFAULT.beta1, show_default=True, help="For adam and adamw.")
@click.option("--beta2", type=SHARE, default=DEFAULT.beta2, show_default=True, help="For adam and adamw.")
@click.option(
    "--weight-decay",
    type=click.FloatRange(min=0),
    help="Joins the gradient, as L2, but with adamw shrinks the weights apart from it; the optimiser's usual one if "
    "not given.",
)
@schedule_options(DEFAULT.schedule, DEFAULT.warmup)
@learning_options()
@click.option(
    "--loss", type=click.Choice(list(LOSSES)), default=DEFAULT.loss, show_default=True, help="What is made small."
)
@click.option(
    "--label-smoothing",
    type=SHARE,
    default=DEFAULT.label_smoothing,
    show_default=True,
    help="Share of each target that is spread over all classes.",
)
@click.option("--hidden", type=LayerSizes(), help="Sizes of the hidden layers, such as 256x256 (mlp).")
@click.option("--activation", type=click.Choice(list(ACTIVATIONS)), help="Of hidden layers.")
@click.option("--init", type=click.Choice(INITIALIZERS), help="How the weights start.")
@click.option("--pool", type=click.Choice(list(POOLINGS)), help="How lenet pools; average if not given.")
@click.option("--width", type=click.FloatRange(0, 8, min_open=True), help="Scales the channels of alexnet and resnet.")
@click.option(
    "--validation", type=click.IntRange(min=0), help="Training images held out to validate; a twelfth if not given."
)
@image_options(DEFAULT)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=DEFAULT.seed,
    show_default=True,
    help="Decides all that is random; the same one gives the same bits.",
)
@repeat_options()
@click.option("--fuse/--no-fuse", "fused", default=DEFAULT.fused, help="Run chains of layers as one operation.")
@click.option(
    "--graph/--no-graph", default=DEFAULT.graph, help="On a GPU, record a step and replay it, to the same bits."
)
@exact_option
@threads_option
@click.option("--log-every", type=click.IntRange(min=0), default=0, help="Also print a line every so many batches.")
@click.option("--output", type=click.Path(), default="weights.h5", show_default=True, help="Where the weights go.")
@click.option(
    "--stats",
    "stats_file",
    type=click.Path(),
    metavar="FILE.json",
    help="Add the figures of this run to a file, and the averages over all runs to FILE.txt.",
)
@click.option(
    "--plot",
    "plot_file",
    type=PictureFile(),
    metavar="FILE.png",
    help="Draw loss, accuracy and learning rate of all epochs, as 'fastdigits plot' does.",
)
@click.option(
    "--progress/--no-progress", default=None, help="Bars and curves that move; on a terminal unless told otherwise."
)
@click.option("--show", is_flag=True, help="Print all options as the recipe and the command line set them, and stop.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    **values: Any,
) -> None:
    """Train a network, measure it once on the test images, and write its weights.

    Without options: the default network on MNIST, which is on board, into weights.h5. With --folds or --runs:
    the best network by validation.
    """
    start = perf_counter()
    check_together(ctx)
    if values["show"]:
        click.echo(listing(ctx))
        return
    from fastdigits.cli.actions.train import Session
    from fastdigits.cli.actions.train_plan import check_files, plan

    job = plan(ctx)
    check_files(job, values["stats_file"], values["plot_file"])
    Session(job, values, start).run()
