"""Options for the preprocessing and augmentation of images."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from fastdigits.cli.options.common import option_group
from fastdigits.data.augmentation import EFFECTS
from fastdigits.data.preprocessing import INKS, MAX_CONTRAST, MAX_GAMMA, MAX_PAD, Preparation

if TYPE_CHECKING:
    from fastdigits.config.training import TrainConfig


def image_options(default: "TrainConfig") -> Callable:
    """Return the options for preprocessing, normalization and augmentation."""
    normalise = click.option(
        "--normalise/--no-normalise",
        default=default.normalise,
        show_default=True,
        help="Scale pixels to mean 0 and standard deviation 1, or leave them between 0 and 1.",
    )
    ink = click.option(
        "--ink",
        type=click.Choice(INKS),
        show_default="as recognized",
        help="Ink of the training images, darker or lighter than their background.",
    )
    return option_group(preparation_options(default), ink, normalise, augment_option(default.augment, of_model=True))


def preparation_options(default: "TrainConfig | Preparation") -> Callable:
    """Return the options for the preprocessing of every image."""
    return option_group(
        click.option(
            "--pad",
            type=click.IntRange(0, MAX_PAD),
            default=default.pad,
            show_default=True,
            help="Pad each side of the images with this many rows or columns of background.",
        ),
        click.option(
            "--contrast",
            type=click.FloatRange(0, MAX_CONTRAST, min_open=True),
            default=default.contrast,
            show_default=True,
            help="Multiply the contrast by this factor, such as 4.",
        ),
        click.option(
            "--gamma",
            type=click.FloatRange(0, MAX_GAMMA, min_open=True),
            default=default.gamma,
            show_default=True,
            help="Raise the brightness (0 to 1) to this power, such as 0.7.",
        ),
        click.option(
            "--binarize",
            type=click.FloatRange(min=0, max=1, max_open=True),
            help="Turn pixels brighter than this threshold white and all others black, after --contrast and --gamma.",
        ),
    )


def augment_option(default: str, of_model: bool = False) -> Callable:
    """Return the option for the augmentation of training images, whose default may depend on the model."""
    return click.option(
        "--augment",
        metavar="EFFECT=SIZE,...",
        default=default,
        show_default="depends on the model" if of_model else False,
        help="Augment training images at random, for example with shift=2,rotate=10,scale=0.1,elastic=0.6. "
        f"The effects are {', '.join(EFFECTS)}.",
    )
