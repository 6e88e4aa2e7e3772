"""Options of `fastdigits train` and `show` on what happens to images before the network sees them."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from fastdigits.cli.options.common import together
from fastdigits.data.preprocessing import MAX_CONTRAST, MAX_GAMMA, MAX_PAD, Preparation

if TYPE_CHECKING:
    from fastdigits.config.training import TrainConfig


def image_options(default: "TrainConfig") -> Callable:
    """What is done to every image, and to training images anew in every epoch."""
    normalise = click.option(
        "--normalise/--no-normalise",
        default=default.normalise,
        help="Bring pixels to mean 0 and standard deviation 1, or leave them at 0 to 1.",
    )
    return together(preparation_options(default), normalise, augment_option(default.augment))


def preparation_options(default: "TrainConfig | Preparation") -> Callable:
    """What is done to every image."""
    return together(
        click.option(
            "--pad",
            type=click.IntRange(0, MAX_PAD),
            default=default.pad,
            show_default=True,
            help="Rows and columns of zeros added on every side of an image.",
        ),
        click.option(
            "--contrast",
            type=click.FloatRange(0, MAX_CONTRAST, min_open=True),
            default=default.contrast,
            show_default=True,
            help="Stretch the grey levels so many times about the middle one, such as 4.",
        ),
        click.option(
            "--gamma",
            type=click.FloatRange(0, MAX_GAMMA, min_open=True),
            default=default.gamma,
            show_default=True,
            help="Raise brightness, 0 to 1, to this power, such as 0.7.",
        ),
        click.option(
            "--binarize",
            type=click.FloatRange(min=0, max=1, max_open=True),
            help="Then make pixels above this brightness, such as 0.5, white, others black.",
        ),
    )


def augment_option(default: str) -> Callable:
    """What is done to training images, anew in every epoch."""
    return click.option(
        "--augment",
        metavar="EFFECT=SIZE,...",
        default=default,
        help="Change the training images at random, such as shift=2,rotate=10,scale=0.1,elastic=0.6; "
        "also shear, contrast, gamma, noise, erase.",
    )
