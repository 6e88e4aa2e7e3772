"""`fastdigits train`."""

import json
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter
from typing import Any

import click

from fastdigits.cli import interrupt
from fastdigits.cli.options import (
    LayerSizes,
    ModelName,
    as_usage,
    data_option,
    device_option,
    json_option,
    load_ops,
    threads_option,
)
from fastdigits.config import LOSSES, MODEL, OPTIMIZERS, TrainConfig
from fastdigits.errors import UserError
from fastdigits.recipes import MODEL_SETTINGS, RECIPES
from fastdigits.schedule import SCHEDULES

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
@click.option("--epochs", type=click.IntRange(min=1), default=DEFAULT.epochs, show_default=True)
@click.option("--batch-size", type=click.IntRange(1, 65536), default=DEFAULT.batch_size, show_default=True)
@click.option(
    "--optimizer",
    type=click.Choice(list(OPTIMIZERS)),
    default=DEFAULT.optimizer,
    show_default=True,
)
@click.option("--lr", type=RATE, help="Learning rate at its highest; the optimiser's usual one if not given.")
@click.option("--momentum", type=SHARE, default=DEFAULT.momentum, show_default=True, help="For momentum and nesterov.")
@click.option("--beta1", type=SHARE, default=DEFAULT.beta1, show_default=True, help="For adam and adamw.")
@click.option("--beta2", type=SHARE, default=DEFAULT.beta2, show_default=True, help="For adam and adamw.")
@click.option("--weight-decay", type=click.FloatRange(min=0), help="The optimiser's usual one if not given.")
@click.option(
    "--schedule",
    type=click.Choice(list(SCHEDULES)),
    default=DEFAULT.schedule,
    show_default=True,
    help="How the learning rate changes.",
)
@click.option("--loss", type=click.Choice(list(LOSSES)), default=DEFAULT.loss, show_default=True)
@click.option("--label-smoothing", type=SHARE, default=DEFAULT.label_smoothing, show_default=True)
@click.option("--hidden", type=LayerSizes(), help="Sizes of the hidden layers, such as 256x256 (mlp).")
@click.option("--activation", type=click.Choice(["relu", "leaky-relu", "sigmoid", "tanh"]))
@click.option("--init", type=click.Choice(["he", "glorot", "normal", "uniform"]), help="How the weights start.")
@click.option("--pool", type=click.Choice(["max", "average"]), help="How lenet pools; average if not given.")
@click.option("--width", type=click.FloatRange(0, 8, min_open=True), help="Scales the channels of alexnet and resnet.")
@click.option(
    "--validation", type=click.IntRange(min=0), help="Training images held out to validate; a twelfth if not given."
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=DEFAULT.seed, show_default=True)
@click.option("--fuse/--no-fuse", "fused", default=DEFAULT.fused, help="Run chains of layers as one operation.")
@threads_option
@click.option("--log-every", type=click.IntRange(min=0), default=0, help="Also print a line every so many batches.")
@click.option("--output", type=click.Path(), default="weights.h5", show_default=True, help="Where the weights go.")
@click.option(
    "--stats", "stats_file", type=click.Path(), metavar="FILE.json", help="Add the figures of this run to a file."
)
@click.option("--progress/--no-progress", default=None, help="A moving bar; on a terminal unless told otherwise.")
@json_option
def command(
    model: str,
    device: str,
    data: str,
    threads: int | None,
    hidden: tuple[int, ...] | None,
    activation: str | None,
    init: str | None,
    pool: str | None,
    width: float | None,
    log_every: int,
    output: str,
    stats_file: str | None,
    progress: bool | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Train a network, measure it once on the test images, and write its weights.

    Without options: the default network on MNIST, which is on board, into weights.h5.
    """
    start = perf_counter()
    from fastdigits import dataset, models, stats, weights
    from fastdigits.run import run

    def say(line: str) -> None:
        click.echo(line, err=as_json)

    weights.check_writable(output)
    if stats_file:
        if os.path.realpath(stats_file) == os.path.realpath(output):
            raise click.UsageError("--output and --stats name the same file; give each its own.")
        stats.check(stats_file)
    try:
        config, options = TrainConfig(**settings), models.ModelOptions(hidden, activation, init, pool, width)
        models.check_options(model, options)
    except UserError as error:
        raise as_usage(error) from None
    load_start = perf_counter()
    digits = dataset.load(data)
    network = models.network_of(model, options, (1, *digits.train_images.shape[1:]))
    load_s = perf_counter() - load_start
    ops = load_ops(device, threads, say)
    name = models.name_of(model)
    say(f"{name}: {network.parameter_count:,} parameters, {digits.name}: {len(digits.train_labels):,} images")

    watcher = _watcher(progress, as_json, say, config.epochs, log_every)
    with _announcing(ops, say), watcher.display():
        done = run(name, network, digits, ops, config, watcher)
    interrupt.check()
    weights.write(output, done.saved())
    say(_test_line(done))
    say(f"weights: {click.format_filename(output)}")
    summary = done.summary(load_s, perf_counter() - start, output)
    if stats_file:
        stats.add(stats_file, summary)
    if as_json:
        click.echo(json.dumps(summary))


def _watcher(progress: bool | None, as_json: bool, say: Callable[[str], None], epochs: int, log_every: int) -> Any:
    from fastdigits.cli.progress import Bar, Lines

    if progress is None:  # a bar beside lines that go elsewhere would hide them
        progress = sys.stderr.isatty() and (as_json or sys.stdout.isatty())
    if progress:
        return Bar(epochs, log_every)
    return Lines(say, epochs, log_every)


def _announcing(ops: Any, say: Callable[[str], None]) -> AbstractContextManager:
    if ops.device == "reference":
        return nullcontext()
    from fastdigits.ops.environment import on_first_compilation

    return on_first_compilation(lambda: say("compiling kernels, once ..."))


def _test_line(done: Any) -> str:
    test, (low, high) = done.test, done.test.interval_95
    return (
        f"test accuracy {test.accuracy:.2%} ({test.correct:,} of {test.images:,}, 95 % interval {low:.2%} to "
        f"{high:.2%}), loss {test.loss:.4f}, after {done.training.seconds['train']:.2f} s of training"
    )
