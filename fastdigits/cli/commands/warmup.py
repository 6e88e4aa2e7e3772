"""`fastdigits warmup`."""

from time import perf_counter

import click

from fastdigits.cli.options.arguments import MAX_BATCH_SIZE, ModelName
from fastdigits.cli.options.common import device_option, exact_option, json_option, threads_option
from fastdigits.config.recipes import RECIPES


@click.command("warmup", epilog="Example: fastdigits warmup --model lenet --model record")
@click.option(
    "--model",
    "models",
    type=ModelName(),
    multiple=True,
    show_default="those of the recipes default and fast",
    help="Model to compile for. May be repeated.",
)
@click.option("--recipe", type=click.Choice(list(RECIPES)), help="Training recipe to compile for.")
@click.option(
    "--batch-size",
    type=click.IntRange(1, MAX_BATCH_SIZE),
    show_default="that of the recipe",
    help="Batch size to compile for.",
)
@device_option
@exact_option
@threads_option
@json_option
def command(
    models: tuple[str, ...],
    recipe: str | None,
    batch_size: int | None,
    device: str,
    exact: bool,
    threads: int | None,
    as_json: bool,
) -> None:
    """Compile the kernels for training, evaluation and prediction ahead of time.

    The kernels are cached, so that training with the same model, recipe, batch size and --threads starts at once.
    """
    start = perf_counter()
    from fastdigits.cli.actions import warmup

    warmup.run(models, recipe, batch_size, device, exact, threads, as_json, start)
