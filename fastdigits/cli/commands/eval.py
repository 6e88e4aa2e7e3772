"""`fastdigits eval`."""

import click

from fastdigits.cli.options.common import (
    device_option,
    exact_option,
    examples,
    json_option,
    threads_option,
)
from fastdigits.cli.options.data import data_options
from fastdigits.cli.options.figure_files import FigureFile


@click.command(
    "eval",
    epilog=examples(
        "fastdigits eval weights.h5 --confusion confusion.png --mistakes mistakes.png",
        "fastdigits eval a.h5 b.h5 c.h5 --tta",
    ),
)
@click.argument("weights", nargs=-1, required=True)
@data_options()
@device_option
@exact_option
@threads_option
@click.option(
    "--tta", is_flag=True, help="Test-time augmentation: average over each image and its 8 shifts by one pixel."
)
@click.option("--confusion", type=FigureFile(), metavar="FILE.png", help="Draw the confusion matrix.")
@click.option("--mistakes", type=FigureFile(), metavar="FILE.png", help="Draw the 24 worst mistakes.")
@click.option(
    "--examples",
    type=FigureFile(),
    metavar="FILE.png",
    help="Draw examples of correct and wrong predictions with the probabilities of all digits.",
)
@click.option(
    "--calibration",
    type=FigureFile(),
    metavar="FILE.png",
    help="Draw how often predictions of each confidence are right.",
)
@json_option
def command(
    weights: tuple[str, ...],
    data: str,
    device: str,
    exact: bool,
    threads: int | None,
    tta: bool,
    as_json: bool,
    **figures: str | None,
) -> None:
    """Evaluate trained networks on the test images of a data set.

    Several WEIGHTS files are evaluated one by one and as an ensemble, which averages their probabilities. For two,
    McNemar's test says whether their difference may be chance. If any of the networks was trained with --exact, --exact
    is used for all.
    """
    from fastdigits.cli.actions import eval

    eval.run(weights, data, device, exact, threads, tta, as_json, figures)
