"""Options for the data set of a command, and for how to read it."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from fastdigits.cli.options.arguments import ImageSize, ValueRange
from fastdigits.cli.options.common import option_group

READING = "fastdigits.reading"
DATA_HELP = "Data set: mnist, another name from 'fastdigits data list', or a file or folder, such as letters.csv."


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    ctx.meta.setdefault(READING, {})[param.name] = value


def chosen_reading() -> dict[str, Any]:
    """Return the options of the current command that say how to read its data set, as `load_digits` takes them."""
    return click.get_current_context().meta.get(READING, {})


def assume_reading(reading: Mapping[str, Any]) -> None:
    """Read the data set of the current command in this way, unless its options say otherwise."""
    chosen = click.get_current_context().meta.setdefault(READING, {})
    chosen.update({name: value for name, value in reading.items() if chosen.get(name) is None})


def reading_words(reading: Mapping[str, Any] | None = None) -> list[str]:
    """Return the words on the command line that say how to read a data set, by default those of the current command."""
    reading, words = chosen_reading() if reading is None else reading, []
    if size := reading.get("size"):
        words += ["--size", f"{size[0]}x{size[1]}"]
    if values := reading.get("value_range"):
        words += ["--value-range", ",".join(map(_shortest, values))]
    if (transpose := reading.get("transpose")) is not None:
        words += ["--transpose" if transpose else "--no-transpose"]
    return words


def _shortest(value: float) -> str:
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def data_options(default: str | None = "mnist", show_default: bool | str = True) -> Callable:
    """Return --data and the options that say how to read the data set; these are left to `chosen_reading`."""
    return option_group(
        click.option("--data", default=default, show_default=show_default, help=DATA_HELP), reading_options
    )


reading_options = option_group(
    click.option(
        "--size",
        type=ImageSize(),
        metavar="28|28x20",
        expose_value=False,
        callback=_remember,
        show_default="that of the data set",
        help="Resize the images to this many pixels, without distortion.",
    ),
    click.option(
        "--value-range",
        type=ValueRange(),
        metavar="BLACK,WHITE",
        expose_value=False,
        callback=_remember,
        show_default="as recognized",
        help="Values that stand for black and white in the data set, such as 0,1.",
    ),
    click.option(
        "--transpose/--no-transpose",
        default=None,
        expose_value=False,
        callback=_remember,
        show_default="as recognized",
        help="Swap rows and columns of the images.",
    ),
)
