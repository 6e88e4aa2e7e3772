"""`fastdigits predict`."""

import click

from fastdigits.cli.options.common import device_option, examples, json_option, threads_option, usage_error
from fastdigits.cli.options.figure_files import FigureFile
from fastdigits.errors import UserError


@click.command(
    "predict",
    epilog=examples(
        "fastdigits predict photo.jpg",
        "fastdigits predict scans/ 'more/*.png' --json",
        "fastdigits predict phone-number.jpg --several --show boxes.png",
        "fastdigits predict cheque.jpg --several --pattern dd.ddd,dd",
        "curl https://example.org/digit.png | fastdigits predict -",
    ),
)
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
@click.option("--weights", metavar="FILE", show_default="the included network", help="Weights file of the network.")
@click.option("--several", is_flag=True, help="Read all numbers of each picture, line by line.")
@click.option("--length", metavar="N", type=int, help="With --several, find only numbers of exactly N digits.")
@click.option(
    "--pattern",
    metavar="PATTERN",
    help="With --several, find only numbers of this form, such as 'dd.ddd,dd' with d for each digit.",
)
@click.option(
    "--show",
    type=FigureFile(),
    metavar="FILE.png",
    help="Draw the first 30 pictures with their preprocessing and predictions.",
)
@device_option
@threads_option
@json_option
def command(
    images: tuple[str, ...],
    weights: str | None,
    several: bool,
    length: int | None,
    pattern: str | None,
    show: str | None,
    device: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Recognize the digits in pictures.

    IMAGE is a picture, a folder of pictures, a quoted pattern such as 'scans/*.png', or - for a picture on standard
    input. Pictures may be PNG, JPEG, WebP, BMP, TIFF or GIF files of any size and color. Only the first frame or page
    of a file is used, and hidden files of a folder are skipped. The result is "unsure" if the picture may show another
    digit or no digit at all. Give -- before names that begin with a dash.
    """
    from fastdigits.cli.actions import predict
    from fastdigits.inference.sequences import Restriction

    if not several and (length is not None or pattern is not None):
        raise click.UsageError("--length and --pattern restrict what --several finds; add --several.")
    try:
        restriction = Restriction(length, pattern)
    except UserError as error:
        raise usage_error(error) from error
    predict.run(images, weights, several, restriction, show, device, threads, as_json)
