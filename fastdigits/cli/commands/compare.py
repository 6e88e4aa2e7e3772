"""`fastdigits compare`."""

import click

from fastdigits.cli.options.arguments import Names
from fastdigits.cli.options.common import (
    device_option,
    exact_option,
    examples,
    json_option,
    seed_option,
    threads_option,
)
from fastdigits.cli.options.data import data_options
from fastdigits.cli.options.figure_files import outputs_option
from fastdigits.config.choices import FRAMEWORKS


@click.command(
    "compare",
    epilog=examples(
        "fastdigits compare linear mlp lenet --runs 3 -o table.md -o figure.png",
        "fastdigits compare mlp lenet --against torch,tensorflow -o table.md",
    ),
)
@click.argument("models", nargs=-1, required=True, metavar="MODEL|WEIGHTS...")
@click.option(
    "--against",
    type=Names(tuple(FRAMEWORKS)),
    default=(),
    metavar="NAMES",
    help=f"Also train in other frameworks, separated by commas: {', '.join(FRAMEWORKS)}.",
)
@data_options()
@device_option
@exact_option
@threads_option
@click.option("--epochs", type=click.IntRange(min=1), show_default="depends on the model", help="Epochs per run.")
@click.option(
    "--runs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Training runs per model, with the seeds S, S+1, ...",
)
@seed_option("Seed S of the first run.")
@outputs_option
@click.option("--progress/--no-progress", default=None, show_default="on a terminal", help="Show a live dashboard.")
@json_option
def command(**values: object) -> None:
    """Train each MODEL, load each WEIGHTS file, and compare accuracy and speed.

    The table lists test accuracy, training time, inference speed and the number of parameters. Training holds out
    validation images, as in 'fastdigits train'; the test images are used only for the final evaluation.

    With --against, each MODEL is also trained in other frameworks, from the same weights, with the same settings and on
    the same batches. There are two tables: one by network, one by framework.
    """
    if values["against"]:
        from fastdigits.cli.actions.compare_frameworks import FrameworkSession

        FrameworkSession(values).run()
        return
    from fastdigits.cli.actions.compare import Session

    Session(values).run()
