"""`fastdigits plot`."""

import click

from fastdigits.cli.options.common import examples
from fastdigits.cli.options.figure_files import FigureFile


@click.command(
    "plot",
    epilog=examples(
        "fastdigits plot lenet.h5 cnn.h5", "fastdigits plot a.h5 b.h5 --label 'small batches' --label 'large batches'"
    ),
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "-o",
    "--output",
    type=FigureFile(),
    default="curves.png",
    show_default=True,
    metavar="FILE.png",
    help="Figure to write: .png, .svg or .pdf.",
)
@click.option("--label", "labels", multiple=True, help="Name of a curve in the legend; give one for each curve.")
@click.option("--title", default="", help="Title of the figure.")
def command(files: tuple[str, ...], output: str, labels: tuple[str, ...], title: str) -> None:
    """Plot loss, accuracy and learning rate of training runs over the epochs.

    FILE is a weights file, a checkpoint, a file written by 'train --stats' or the output of 'train --json'. Runs that
    differ only in seed or fold are drawn as their mean with a band of one standard deviation.
    """
    from fastdigits.cli.actions import plot

    plot.run(files, output, labels, title)
