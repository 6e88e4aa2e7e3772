"""`fastdigits show`."""

from typing import TYPE_CHECKING, Any

import click

from fastdigits.cli.options import figure_files
from fastdigits.cli.options.common import as_usage, data_option
from fastdigits.cli.options.images import augment_option, preparation_options
from fastdigits.data.augmentation import parse_effects
from fastdigits.data.preprocessing import Preparation
from fastdigits.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from fastdigits.cli.actions.show import Part, Sheet

MAX_NUMBERS, MAX_SIDE_BY_SIDE = 1000, 20
EPOCHS = 9
PARTS = {"train": "training", "test": "test"}


class Numbers(click.ParamType):
    """Whole numbers and ranges of them, such as 0,5,100-119."""

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        found: list[int] = []
        for part in str(value).split(","):
            first, dash, last = part.strip().partition("-")
            ends = [first, last] if dash else [first]
            if not all(end.isascii() and end.isdigit() and len(end) < 10 for end in ends):
                self.fail(f"'{value}' is no list of numbers such as 0,5,100-119.", param, ctx)
            if len(found) + int(ends[-1]) - int(first) >= MAX_NUMBERS:
                self.fail(f"'{value}' are more than {MAX_NUMBERS} numbers; give fewer.", param, ctx)
            found += range(int(first), int(ends[-1]) + 1)
        return tuple(found)


@click.command(
    "show",
    epilog="Example: fastdigits show --digits 4,9 -o digits.png\n\n"
    "fastdigits show --augment shift=2,rotate=10,elastic=0.6 -o changed.png",
)
@data_option
@click.option("--part", type=click.Choice(list(PARTS)), default="train", show_default=True, help="Of the data.")
@click.option("--digits", type=Numbers(), metavar="LIST", help="Only images of these digits.")
@click.option("--index", type=Numbers(), metavar="LIST", help="These images, such as 0,5,100-119, counted from 0.")
@click.option("--random", "at_random", is_flag=True, help="Images of all digits mixed, not a row for each digit.")
@click.option("--count", type=click.IntRange(1, MAX_NUMBERS), help="How many images.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Of all that is random.")
@preparation_options(Preparation())
@augment_option("")
@click.option(
    "--epochs",
    type=click.IntRange(1, MAX_SIDE_BY_SIDE),
    default=EPOCHS,
    show_default=True,
    help="How many changes of an image by --augment are shown.",
)
@click.option(
    "-o", "--output", type=figure_files.PictureFile(), required=True, metavar="FILE.png", help="Where the picture goes."
)
def command(data: str, part: str, output: str, **values: Any) -> None:
    """Draw images of a data set: ten of each digit, chosen at random, unless told otherwise.

    With --pad, --contrast, --gamma or --binarize ten images before and after. With --augment the first image as it
    is and as training sees it in each epoch, with each effect alone and with all of them; several images, if so many
    are asked for, with all of them.
    """
    if values["index"] and (values["digits"] or values["at_random"] or values["count"]):
        raise click.UsageError("--index names the images; leave --digits, --random and --count out.")
    try:
        preparation = Preparation(*(values[name] for name in ("pad", "contrast", "gamma", "binarize")))
        effects = parse_effects(values["augment"])
    except UserError as error:
        raise as_usage(error) from None
    from fastdigits.cli.actions.show import Part
    from fastdigits.data import load_part
    from fastdigits.files import check_writable
    from fastdigits.plots import sheet

    check_writable(output)
    images = Part(*load_part(data, part))
    made = _sheet(images, preparation, effects, values)
    figure_files.write(output, sheet.draw(made.rows, made.heads, f"{data}, {PARTS[part]} images{made.note}"))
    click.echo(f"{len(made.shown):,} of {len(images.labels):,} images")
    click.echo(f"picture: {click.format_filename(output)}")


def _sheet(part: "Part", preparation: Preparation, effects: Any, values: dict[str, Any]) -> "Sheet":
    """The rows of the picture."""
    from fastdigits.cli.actions import show

    plain = not (preparation or any(effects))
    count = values["count"] or (100 if plain else 1 if any(effects) else 10)
    classes = _classes(part, values["digits"])
    if plain and not (values["index"] or values["at_random"]):
        return show.by_class(part, classes, count, values["seed"])
    chosen = _chosen(part, classes, count, values)
    if plain:
        return show.in_lines(part, chosen)
    if len(chosen) > MAX_SIDE_BY_SIDE:
        raise click.UsageError(f"At most {MAX_SIDE_BY_SIDE} images are shown before and after; choose fewer.")
    if any(effects):
        return show.changed_by_chance(part, chosen, preparation, effects, values["seed"], values["epochs"])
    return show.before_and_after(part, chosen, preparation)


def _classes(part: "Part", wanted: tuple[int, ...] | None) -> list[int]:
    import numpy as np

    there = np.unique(part.labels).tolist()
    if missing := set(wanted or ()) - {*there}:
        raise click.UsageError(f"There are no images of {min(missing)}; choose among {', '.join(map(str, there))}.")
    return sorted({*wanted}) if wanted else there


def _chosen(part: "Part", classes: list[int], count: int, values: dict[str, Any]) -> "np.ndarray":
    """The numbers of the images: of each class as many, if there are enough; a single one is the first of all."""
    import numpy as np

    from fastdigits.data import preview

    if values["index"]:
        if max(values["index"]) >= len(part.labels):
            raise click.UsageError(f"There is no image {max(values['index'])}; choose 0 to {len(part.labels) - 1}.")
        return np.array(values["index"])
    if count == 1 and not (values["at_random"] or values["digits"]):
        return np.zeros(1, int)
    if values["at_random"] or count < len(classes):
        return preview.sample(part.labels, classes, count, values["seed"])
    return np.concatenate(preview.sample_each_class(part.labels, classes, count // len(classes), values["seed"]))
