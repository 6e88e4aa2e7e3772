"""`fastdigits compare`."""

import click

from fastdigits.cli.options.common import data_option, device_option, exact_option, json_option, threads_option
from fastdigits.cli.options.figure_files import PictureFile


@click.command("compare", epilog="Example: fastdigits compare linear mlp lenet --runs 3 -o table.md -o picture.png")
@click.argument("subjects", nargs=-1, required=True, metavar="MODEL|WEIGHTS...")
@data_option
@device_option
@exact_option
@threads_option
@click.option("--epochs", type=click.IntRange(min=1), help="Of each training; each network's usual ones if not given.")
@click.option("--runs", type=click.IntRange(min=1), default=1, show_default=True, help="Train with seeds S, S+1, ...")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Of the first training.")
@click.option(
    "-o",
    "--output",
    "outputs",
    type=PictureFile("md", "csv"),
    multiple=True,
    metavar="FILE",
    help="A table that ends with .md or .csv, or a picture, .png, .svg or .pdf; may be given several times.",
)
@click.option("--progress/--no-progress", default=None, help="Bars and curves; on a terminal unless told otherwise.")
@json_option
@click.pass_context
def command(ctx: click.Context, **values: object) -> None:
    """Train each MODEL as it usually is, load each file of WEIGHTS, and set side by side what they reach.

    Accuracy on the test images, seconds of training, images read in a second, parameters. Trainings take the
    validation images out, as 'fastdigits train' does; nothing is chosen by the test images.
    """
    from fastdigits.cli.actions.compare import Session

    Session(values).run()
