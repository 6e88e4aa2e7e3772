"""`fastdigits train`."""

import json
import os
import sys
from collections.abc import Callable
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
    exact_option,
    json_option,
    load_ops,
    threads_option,
)
from fastdigits.config import LOSSES, MODEL, OPTIMIZERS, TrainConfig
from fastdigits.errors import UserError
from fastdigits.recipes import RECIPES
from fastdigits.schedule import SCHEDULES

DEFAULT = TrainConfig()
RATE = click.FloatRange(min=0, min_open=True)
SHARE = click.FloatRange(min=0, max=1, max_open=True)


def _follow_recipe(ctx: click.Context, param: click.Parameter, name: str) -> None:
    """Make the recipe's options the defaults; those on the command line come before defaults."""
    ctx.default_map = {**(ctx.default_map or {}), **RECIPES[name]}


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
@click.option("--model", type=ModelName(), default=MODEL, show_default=True, help="See 'fastdigits models'.")
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
@click.option("--init", type=click.Choice(["he", "glorot"]), help="How the weights start.")
@click.option(
    "--validation", type=click.IntRange(min=0), help="Training images held out to validate; a twelfth if not given."
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=DEFAULT.seed, show_default=True)
@click.option("--fuse/--no-fuse", "fused", default=DEFAULT.fused, help="Run chains of layers as one operation.")
@exact_option
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
    from fastdigits.cli.progress import announcing_compilation
    from fastdigits.nn import Network
    from fastdigits.run import run

    def say(line: str) -> None:
        click.echo(line, err=as_json)

    weights.check_writable(output)
    if stats_file:
        if os.path.realpath(stats_file) == os.path.realpath(output):
            raise click.UsageError("--output and --stats name the same file; give each its own.")
        stats.check(stats_file)
    try:
        config = TrainConfig(**settings)
        layers = models.layers_of(model, models.ModelOptions(hidden, activation, init))
    except UserError as error:
        raise as_usage(error) from None
    load_start = perf_counter()
    digits = dataset.load(data)
    network = Network(layers, (1, *digits.train_images.shape[1:]))
    load_s = perf_counter() - load_start
    ops = load_ops(device, threads, say, config.exact)
    say(f"{model}: {network.parameter_count:,} parameters, {digits.name}: {len(digits.train_labels):,} images")

    watcher = _watcher(progress, as_json, say, config.epochs, log_every)
    with announcing_compilation(ops, say), watcher.display():
        done = run(model, network, digits, ops, config, watcher)
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


def _test_line(done: Any) -> str:
    test, (low, high) = done.test, done.test.interval_95
    return (
        f"test accuracy {test.accuracy:.2%} ({test.correct:,} of {test.images:,}, 95 % interval {low:.2%} to "
        f"{high:.2%}), loss {test.loss:.4f}, after {done.training.seconds['train']:.2f} s of training"
    )
