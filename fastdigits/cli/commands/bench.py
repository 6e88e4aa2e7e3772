"""`fastdigits bench`."""

import os
from typing import Any

import click

from fastdigits.cli.options.arguments import BatchSizes, ModelName, Names, Number
from fastdigits.cli.options.common import DEVICES, exact_option, examples, threads_option
from fastdigits.cli.options.data import data_options
from fastdigits.cli.options.figure_files import FigureFile
from fastdigits.config.choices import RIVALS
from fastdigits.config.recipes import RECIPES

ROUNDS = 15


@click.command(
    "bench", epilog=examples("fastdigits bench lenet mlp --against torch --json new.json --compare old.json")
)
@click.argument("models", metavar="[MODEL]...", nargs=-1)
@click.option(
    "--batch-size",
    "batch_sizes",
    type=BatchSizes(),
    default="128",
    show_default=True,
    metavar="SIZES",
    help="Comma-separated numbers of images per step.",
)
@click.option(
    "--devices",
    type=Names(DEVICES),
    metavar="NAMES",
    show_default="cpu, and cuda if available",
    help=f"Comma-separated devices to measure: {', '.join(DEVICES)}. Times are relative to the first.",
)
@click.option(
    "--against",
    type=Names(tuple(RIVALS)),
    default=(),
    metavar="NAMES",
    help="Comma-separated frameworks to compare with: torch, torch-cuda (on the GPU), tensorflow, jax; for inference "
    "only: onnxruntime, openvino, litert, ncnn; numpy (only matrix products, with --ops).",
)
@click.option("--train/--no-train", default=True, show_default=True, help="Measure training steps.")
@click.option("--inference/--no-inference", default=True, show_default=True, help="Measure inference.")
@click.option("--ops", is_flag=True, help="Also measure each operation of the networks.")
@click.option(
    "--target",
    type=Number(0, 100, min_open=True),
    metavar="PERCENT",
    help="Also train and report whether the mean test accuracy reaches PERCENT.",
)
@click.option("--recipe", type=click.Choice(list(RECIPES)), help="Training recipe for --target.")
@click.option("--seeds", type=click.IntRange(min=1), show_default="3", help="Number of training runs for --target.")
@data_options()
@exact_option
@threads_option
@click.option(
    "--runs", type=click.IntRange(min=1), default=ROUNDS, show_default=True, help="Number of rounds per measurement."
)
@click.option(
    "--compile/--no-compile",
    "compiled",
    default=True,
    show_default=True,
    help="Include torch.compile and XLA, which can take a minute per network to compile.",
)
@click.option("--json", "json_file", type=click.Path(), metavar="FILE", help="Write all results to a JSON file.")
@click.option(
    "--plot", "plot_file", type=FigureFile(), metavar="FILE.png", help="Draw a bar chart of images per second."
)
@click.option(
    "--compare",
    "old_file",
    type=click.Path(),
    metavar="OLD.json",
    help="Compare the results with a file written by --json.",
)
@click.pass_context
def command(
    ctx: click.Context,
    models: tuple[str, ...],
    json_file: str | None,
    plot_file: str | None,
    old_file: str | None,
    **options: Any,
) -> None:
    """Benchmark training and inference against other frameworks.

    All contenders run the same network with the same weights on the same batch. They take turns, so that load from
    other programs affects all of them equally. A framework that is not installed, fails or computes a different result
    is left out with a message. By default, all models are measured.
    """
    _check_options(json_file, plot_file, options)
    if options["threads"]:  # must be set before NumPy is imported
        os.environ.setdefault("OPENBLAS_NUM_THREADS", str(options["threads"]))
    for model in models:
        ModelName()(model, None, ctx)  # imports NumPy, so it cannot be the type of the argument
    from fastdigits.cli.actions import bench

    bench.run(bench.Plan(tuple(dict.fromkeys(models)), **options), json_file, plot_file, old_file)


def _check_options(json_file: str | None, plot_file: str | None, options: dict[str, Any]) -> None:
    """Raise UsageError if the options do not fit together."""
    races = options["train"] or options["inference"]
    if not (races or options["ops"] or options["target"]):
        raise click.UsageError("There is nothing to measure; leave --no-train or --no-inference out, or add --ops.")
    for name in ("seeds", "recipe"):
        if options[name] and not options["target"]:
            raise click.UsageError(f"--{name} needs --target; give --target too, such as --target 99.")
    if options["target"] and len(options["batch_sizes"]) > 1:
        raise click.UsageError("--target trains with one batch size; give a single number to --batch-size.")
    if "numpy" in options["against"] and not options["ops"]:
        raise click.UsageError("numpy is compared only in the measurement of operations; add --ops.")
    if plot_file and not races:
        raise click.UsageError("--plot draws training and inference; leave --no-train or --no-inference out.")
    if json_file and plot_file and os.path.realpath(json_file) == os.path.realpath(plot_file):
        raise click.UsageError("--json and --plot name the same file; give each its own.")
