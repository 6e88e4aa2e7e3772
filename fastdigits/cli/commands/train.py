"""`fastdigits train`."""

from time import perf_counter
from typing import Any

import click

from fastdigits.cli.options.arguments import BatchSize, LayerSizes, LogTarget, ModelName, Number
from fastdigits.cli.options.common import (
    device_option,
    exact_option,
    json_option,
    seed_option,
    threads_option,
)
from fastdigits.cli.options.data import data_options
from fastdigits.cli.options.defaults import default_text
from fastdigits.cli.options.figure_files import FigureFile
from fastdigits.cli.options.headings import CommandWithHeadings
from fastdigits.cli.options.images import image_options
from fastdigits.cli.options.training import (
    FRACTION,
    POSITIVE,
    check_conflicts,
    option_table,
    regularization_options,
    repeat_options,
    schedule_options,
)
from fastdigits.config.choices import ACTIVATIONS, INITIALIZERS, POOLINGS
from fastdigits.config.recipes import FINE_TUNING, MODEL_SETTINGS, RECIPES
from fastdigits.config.training import CLASS_WEIGHTS, LOSSES, MODEL, OPTIMIZERS, TrainConfig, optimizers_with

DEFAULT = TrainConfig()
HEADINGS = {
    "Network": ("model", "hidden", "activation", "init", "dropout", "pool", "width"),
    "Data set": ("data", "size", "value_range", "transpose", "validation"),
    "Preprocessing and augmentation": ("pad", "contrast", "gamma", "binarize", "ink", "normalise", "augment"),
    "Training": ("recipe", "epochs", "batch_size", "loss", "label_smoothing", "class_weight", "seed"),
    "Optimizer and learning rate": (
        *("optimizer", "lr", "momentum", "beta1", "beta2", "weight_decay", "clip_norm"),
        *("schedule", "lr_decay", "decay_every", "warmup"),
    ),
    "Which weights are kept": ("ema", "early_stop", "keep_best"),
    "Trained networks and checkpoints": ("start", "freeze", "resume", "checkpoint_every"),
    "Several runs": ("runs", "folds", "workers", "restart_dead"),
    "Computation": ("device", "threads", "exact", "fused", "graph"),
    "Output": ("output", "stats_file", "log", "plot_file", "log_every", "progress", "show", "as_json"),
}


def _follow_recipe(ctx: click.Context, param: click.Parameter, name: str) -> None:
    """Make the options of the recipe the defaults; options on the command line override them."""
    ctx.default_map = {**(ctx.default_map or {}), **RECIPES[name]}


def _follow_model(ctx: click.Context, param: click.Parameter, model: str) -> str:
    """Make the settings of the model the defaults; the recipe overrides them. --from does not use them."""
    settings = {} if ctx.params.get("start") else MODEL_SETTINGS.get(model, {})
    ctx.default_map = {**settings, **(ctx.default_map or {})}
    return model


def _fine_tune(ctx: click.Context, param: click.Parameter, path: str | None) -> str | None:
    """Make the settings of fine-tuning the defaults."""
    if path is not None:
        ctx.default_map = {**(ctx.default_map or {}), **FINE_TUNING}
    return path


@click.command(
    "train",
    cls=CommandWithHeadings,
    headings=HEADINGS,
    epilog="Example: fastdigits train --model lenet --epochs 3 --output lenet.h5",
)
@click.option(
    "--recipe",
    type=click.Choice(list(RECIPES)),
    default="default",
    show_default=True,
    is_eager=True,
    expose_value=False,
    callback=_follow_recipe,
    help="Named set of options, which other options override; fast reaches 99 % in the least time.",
)
@click.option(
    "--from",
    "start",
    type=click.Path(),
    metavar="WEIGHTS.h5",
    is_eager=True,
    callback=_fine_tune,
    help="Start from a trained network instead of a new one, to fine-tune it on other images. If it lacks one of their "
    "classes, its last dense layer is replaced.",
)
@click.option(
    "--freeze",
    metavar="LAYER,...",
    default=DEFAULT.freeze,
    help="Layers to leave as they are, such as conv2d_1,batchnorm_1; 'fastdigits describe weights.h5' lists the names.",
)
@click.option(
    "--model",
    type=ModelName(),
    default=MODEL,
    show_default=default_text("model", MODEL),
    is_eager=True,
    callback=_follow_model,
    help="Model to train: a name from 'fastdigits models', or a .toml file of layers.",
)
@device_option
@data_options()
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=DEFAULT.epochs,
    show_default=default_text("epochs", DEFAULT.epochs),
    help="Number of epochs.",
)
@click.option(
    "--batch-size",
    type=BatchSize(),
    metavar="IMAGES|all",
    default=DEFAULT.batch_size,
    show_default=default_text("batch_size", DEFAULT.batch_size),
    help="Number of images per step, or all for one step per epoch.",
)
@click.option(
    "--optimizer", type=click.Choice(list(OPTIMIZERS)), default=DEFAULT.optimizer, show_default=True, help="Optimizer."
)
@click.option(
    "--lr", type=POSITIVE, show_default="depends on the optimizer, the model and the recipe", help="Peak learning rate."
)
@click.option(
    "--momentum",
    type=FRACTION,
    default=DEFAULT.momentum,
    show_default=True,
    help=f"Momentum coefficient for the optimizers {optimizers_with('momentum')}.",
)
@click.option(
    "--beta1",
    type=FRACTION,
    default=DEFAULT.beta1,
    show_default=default_text("beta1", DEFAULT.beta1),
    help=f"Decay rate of the mean of the gradients for {optimizers_with('beta1')}.",
)
@click.option(
    "--beta2",
    type=FRACTION,
    default=DEFAULT.beta2,
    show_default=default_text("beta2", DEFAULT.beta2),
    help=f"Decay rate of the mean of the squared gradients for {optimizers_with('beta2')}.",
)
@click.option(
    "--weight-decay",
    type=click.FloatRange(min=0),
    show_default=default_text("weight_decay", "that of the optimizer"),
    help="Weight decay: decoupled from the gradient for adamw, an L2 penalty for the others.",
)
@schedule_options(DEFAULT.schedule, DEFAULT.warmup)
@regularization_options()
@click.option(
    "--loss", type=click.Choice(list(LOSSES)), default=DEFAULT.loss, show_default=True, help="Loss to minimize."
)
@click.option(
    "--label-smoothing",
    type=FRACTION,
    default=DEFAULT.label_smoothing,
    show_default=default_text("label_smoothing", DEFAULT.label_smoothing),
    help="Fraction of the target probability to spread evenly over all classes.",
)
@click.option(
    "--class-weight",
    type=click.Choice(CLASS_WEIGHTS),
    help="Weigh the loss of each image by N / (classes * images of its class), so that rare classes count as much as "
    "frequent ones.",
)
@click.option("--hidden", type=LayerSizes(), help="Sizes of the hidden layers of mlp, such as 256,128.")
@click.option(
    "--activation",
    type=click.Choice(list(ACTIVATIONS)),
    help="Activation of the hidden layers, for models that allow a choice.",
)
@click.option(
    "--init",
    type=click.Choice(INITIALIZERS),
    help="Initializer of the weights; with zeros, hidden layers learn nothing.",
)
@click.option(
    "--dropout",
    type=FRACTION,
    show_default="that of the model",
    help="Fraction of the inputs of the last dense layers to set to zero at random in training, for models that allow "
    "a choice.",
)
@click.option("--pool", type=click.Choice(list(POOLINGS)), show_default="average", help="Pooling of lenet.")
@click.option(
    "--width", type=Number(0, 8, min_open=True), help="Multiply the channels of alexnet or resnet by this factor."
)
@click.option(
    "--validation",
    type=click.IntRange(min=0),
    show_default=default_text("validation", "one twelfth"),
    help="Number of training images to hold out for validation.",
)
@image_options(DEFAULT)
@seed_option("Seed of all random numbers. The same seed gives bit-identical results.")
@repeat_options()
@click.option(
    "--fuse/--no-fuse",
    "fused",
    default=DEFAULT.fused,
    show_default=True,
    help="Fuse sequences of layers into single operations.",
)
@click.option(
    "--graph/--no-graph",
    default=DEFAULT.graph,
    show_default=True,
    help="Record a training step and replay it, on a GPU as a CUDA graph. The results are the same.",
)
@exact_option
@threads_option
@click.option(
    "--log-every",
    type=click.IntRange(min=0),
    default=0,
    help="Print a line every this many batches, not only after each epoch.",
)
@click.option(
    "--output", "-o", type=click.Path(), default="weights.h5", show_default=True, help="File to save the weights to."
)
@click.option(
    "--stats",
    "stats_file",
    type=click.Path(),
    metavar="FILE.json",
    help="Append the metrics of this run to a JSON file, and write averages over all runs in it to FILE.txt; "
    "or append a row per epoch to FILE.csv.",
)
@click.option(
    "--log",
    type=LogTarget(),
    multiple=True,
    metavar="KIND:PLACE",
    help="Log settings, the metrics of each epoch as it ends, and the result: tensorboard:FOLDER, mlflow:URI, or "
    "csv:FILE for the table of --stats. It may be given several times.",
)
@click.option(
    "--plot",
    "plot_file",
    type=FigureFile(),
    metavar="FILE.png",
    help="Plot loss, accuracy and learning rate over the epochs, as 'fastdigits plot' does.",
)
@click.option("--progress/--no-progress", default=None, show_default="on a terminal", help="Show a live dashboard.")
@click.option("--show", is_flag=True, help="Print the values of all options and exit.")
@json_option
@click.pass_context
def command(ctx: click.Context, **values: Any) -> None:
    """Train a network on handwritten digits and save its weights.

    By default, train the model cnn on MNIST, evaluate it on the test images and save it as weights.h5. With --folds
    or --runs, save the network with the best validation result.
    """
    start = perf_counter()
    check_conflicts(ctx)
    if values["show"]:
        click.echo(option_table(ctx))
        return
    from fastdigits.cli.actions import train

    train.run_command(ctx, start)
