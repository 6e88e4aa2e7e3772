"""`fastdigits plot`."""

import click

from fastdigits.cli.options.figure_files import FigureFile


@click.command("plot", epilog="Example: fastdigits plot lenet.h5 cnn.h5 -o curves.png")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "-o", "--output", type=FigureFile(), required=True, metavar="FILE.png", help="Figure to write: .png, .svg or .pdf."
)
@click.option("--title", default="", help="Title of the figure.")
def command(files: tuple[str, ...], output: str, title: str) -> None:
    """Plot loss, accuracy and learning rate of training runs over the epochs.

    FILE is a weights file, a checkpoint, a file written by 'train --stats' or the output of 'train --json'. Runs that
    differ only in seed or fold are drawn as their mean with a band of one standard deviation.
    """
    from fastdigits.cli.actions import plot

    plot.run(files, output, title)
