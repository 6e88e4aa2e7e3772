"""`fastdigits show`."""

from typing import Any

import click

from fastdigits.cli.options.arguments import MAX_NUMBERS, ClassNames, Numbers
from fastdigits.cli.options.common import examples, seed_option, usage_error
from fastdigits.cli.options.data import data_options
from fastdigits.cli.options.figure_files import FigureFile
from fastdigits.cli.options.images import augment_option, preparation_options
from fastdigits.data.augmentation import parse_effects
from fastdigits.data.preprocessing import Preparation
from fastdigits.errors import UserError

MAX_EPOCHS = 20


@click.command(
    "show",
    epilog=examples(
        "fastdigits show --digits 4,9 -o digits.png",
        "fastdigits show --augment shift=2,rotate=10,elastic=0.6 -o augmented.png",
    ),
)
@data_options()
@click.option(
    "--part",
    type=click.Choice(["train", "test"]),
    default="train",
    show_default=True,
    help="Part of the data set to draw.",
)
@click.option("--digits", type=ClassNames(), metavar="LIST", help="Show only these classes, such as 4,7-9 or a,b.")
@click.option("--index", type=Numbers(), metavar="LIST", help="Show these images, such as 0,5,100-119.")
@click.option("--random", "at_random", is_flag=True, help="Mix the digits instead of showing one row per digit.")
@click.option("--count", type=click.IntRange(1, MAX_NUMBERS), help="Number of images.")
@seed_option("Seed of the random selection and the augmentation.")
@preparation_options(Preparation())
@augment_option("")
@click.option(
    "--epochs",
    type=click.IntRange(1, MAX_EPOCHS),
    default=9,
    show_default=True,
    help="Number of epochs to show with --augment.",
)
@click.option("-o", "--output", type=FigureFile(), required=True, metavar="FILE.png", help="Figure to write.")
def command(data: str, part: str, output: str, **values: Any) -> None:
    """Draw images of a data set, with preprocessing and augmentation.

    By default, draw ten random images of each digit. With --pad, --contrast, --gamma or --binarize, draw ten images
    before and after preprocessing. With --augment, draw the first image as augmented in each epoch, with each effect
    alone and with all effects; with --count above 1, draw several images with all effects.
    """
    if values["index"] and (values["digits"] or values["at_random"] or values["count"]):
        raise click.UsageError("--index names the images; leave --digits, --random and --count out.")
    try:
        preparation = Preparation(*(values[name] for name in ("pad", "contrast", "gamma", "binarize")))
        effects = parse_effects(values["augment"])
    except UserError as error:
        raise usage_error(error) from None
    from fastdigits.cli.actions import show

    show.run(data, part, preparation, effects, output, values)
