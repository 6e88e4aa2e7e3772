"""`fastdigits explain`."""

import click

from fastdigits.cli.options.common import examples, json_option
from fastdigits.cli.options.data import data_options
from fastdigits.cli.options.figure_files import FigureFile


@click.command(
    "explain",
    epilog=examples(
        "fastdigits explain weights.h5 test:8 -o explained.png",
        "fastdigits explain weights.h5 test:8 --against 5 -o explained.png",
        "fastdigits explain weights.h5 photo.jpg -o explained.svg",
    ),
)
@click.argument("weights")
@click.argument("image", metavar="IMAGE|test:INDEX")
@click.option(
    "-o",
    "--output",
    type=FigureFile(),
    metavar="FILE.png",
    help="Draw the saliency map, plain and smoothed, and the feature maps of every layer.",
)
@click.option(
    "--against",
    metavar="CLASS",
    help="Explain why the network does not predict this class: show what the difference of the scores depends on.",
)
@data_options()
@json_option
def command(weights: str, image: str, output: str | None, against: str | None, data: str, as_json: bool) -> None:
    """Show how a network classifies one image.

    IMAGE is a picture of a digit; test:INDEX is a test image of --data. The network of the WEIGHTS file runs on the
    NumPy reference device, so no kernels are compiled.
    """
    from fastdigits.cli.actions import explain

    explain.run(weights, image, output, against, data, as_json)
