"""`fastdigits explain`."""

import click

from fastdigits.cli.options.common import data_option, json_option
from fastdigits.cli.options.figure_files import FigureFile


@click.command(
    "explain",
    epilog="Example: fastdigits explain weights.h5 test:8 -o explained.png\n\n"
    "fastdigits explain weights.h5 photo.jpg -o explained.svg",
)
@click.argument("weights")
@click.argument("image", metavar="IMAGE|test:INDEX")
@click.option(
    "-o",
    "--output",
    type=FigureFile(),
    metavar="FILE.png",
    help="Draw the pixels that decide (saliency) and the feature maps of every layer.",
)
@data_option
@json_option
def command(weights: str, image: str, output: str | None, data: str, as_json: bool) -> None:
    """Show how a network classifies one image.

    IMAGE is a picture of a digit, and test:INDEX one of the test images of --data. The network of the WEIGHTS file
    runs on the NumPy reference, so nothing has to be compiled.
    """
    from fastdigits.cli.actions import explain

    explain.run(weights, image, output, data, as_json)
