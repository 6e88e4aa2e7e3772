"""Run `fastdigits show`: choose images and draw them in rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click
import numpy as np

from fastdigits import ops
from fastdigits.cli.actions.common import say_recognized, write_figure
from fastdigits.cli.options.data import chosen_reading
from fastdigits.cli.options.figure_files import check_files
from fastdigits.cli.terminal.names import printable
from fastdigits.data import preview, read_part
from fastdigits.data.dataset import DigitPart, some
from fastdigits.data.preprocessing import Preparation
from fastdigits.ops.batch import Effects
from fastdigits.plots import sheet
from fastdigits.plots.sheet import Row

COLUMNS = 10
MAX_COLUMNS = 20  # images before and after
PARTS = {"train": "training", "test": "test"}


@dataclass(frozen=True, eq=False)
class Sheet:
    """Rows of images, the headings of their columns, the indices of the images, and a note for the title."""

    rows: list[Row]
    heads: list[str]
    indices: np.ndarray
    note: str = ""


class Part(DigitPart):
    """The training or the test images of a data set."""

    def title(self, index: int) -> str:
        """Return the class of an image and its index."""
        return f"{self.classes[self.labels[index]]} #{index}"


def run(data: str, name: str, preparation: Preparation, effects: Effects, output: str, values: dict[str, Any]) -> None:
    """Draw the chosen images of the part `name`; `values` holds the other options of the command line.

    Raises
    ------
    click.UsageError
        If a chosen image does not exist, or too many images are chosen.
    UserError
        If the data cannot be read or the file cannot be written.
    """
    check_files({"--output": output})
    found = read_part(data, name, **chosen_reading())
    say_recognized(found)
    part = Part(**vars(found))
    chosen = _make_sheet(part, preparation, effects, values)
    title = f"{data}, {PARTS[name]} images{chosen.note}"
    write_figure(output, sheet.draw(chosen.rows, chosen.heads, title))
    click.echo(f"{len(chosen.indices):,} of {len(part.labels):,} images")
    click.echo(f"picture: {printable(output)}")


def _make_sheet(part: Part, preparation: Preparation, effects: Effects, values: dict[str, Any]) -> Sheet:
    plain = not (preparation or any(effects))
    count = values["count"] or (100 if plain else 1 if any(effects) else 10)
    classes = _classes(part, values["digits"])
    if plain and not (values["index"] or values["at_random"]):
        return _rows_by_class(part, classes, count, values["seed"])
    indices = _choose(part, classes, count, values)
    if plain:
        return _rows_in_order(part, indices)
    if len(indices) > MAX_COLUMNS:
        raise click.UsageError(f"At most {MAX_COLUMNS} images can be shown before and after; choose fewer.")
    preparation = preparation.following(part.images)
    if any(effects):
        return _augmented(part, indices, preparation, effects, values["seed"], values["epochs"])
    return _before_and_after(part, indices, preparation)


def _classes(part: Part, chosen: tuple[str, ...] | None) -> list[int]:
    present = {part.classes[label]: label for label in np.unique(part.labels).tolist()}
    if missing := [name for name in chosen or () if name not in present]:
        raise click.UsageError(
            f"There are no images of {printable(missing[0])}; choose among {some(present, len(present))}."
        )
    return sorted({present[name] for name in chosen}) if chosen else [*present.values()]


def _choose(part: Part, classes: list[int], count: int, values: dict[str, Any]) -> np.ndarray:
    """Return the indices of the images: by default equally many of each class, or the first image if `count` is 1."""
    if values["index"]:
        if max(values["index"]) >= len(part.labels):
            raise click.UsageError(f"There is no image {max(values['index'])}; choose 0 to {len(part.labels) - 1}.")
        return np.array(values["index"])
    if count == 1 and not (values["at_random"] or values["digits"]):
        return np.zeros(1, int)
    if values["at_random"] or count < len(classes):
        return preview.sample(part.labels, classes, count, values["seed"])
    return np.concatenate(preview.sample_each_class(part.labels, classes, count // len(classes), values["seed"]))


def _rows_by_class(part: Part, classes: Sequence[int], count: int, seed: int) -> Sheet:
    groups = preview.sample_each_class(part.labels, classes, max(1, count // len(classes)), seed)
    rows = [
        Row(part.classes[label], part.images[group], [f"#{index}" for index in group])
        for label, group in zip(classes, groups, strict=True)
    ]
    return Sheet(rows, [], np.concatenate(groups))


def _rows_in_order(part: Part, indices: np.ndarray) -> Sheet:
    lines = [indices[start : start + COLUMNS] for start in range(0, len(indices), COLUMNS)]
    return Sheet([Row("", part.images[line], [*map(part.title, line)]) for line in lines], [], indices)


def _before_and_after(part: Part, indices: np.ndarray, preparation: Preparation) -> Sheet:
    """Show the images unchanged, after each step of the preparation alone, and after all steps."""
    steps = [("as it is", Preparation()), *preview.preparation_steps(preparation)]
    rows = [Row(name, step.apply(part.images[indices])) for name, step in steps]
    return Sheet(rows, [*map(part.title, indices)], indices)


def _augmented(
    part: Part, indices: np.ndarray, preparation: Preparation, effects: Effects, seed: int, epochs: int
) -> Sheet:
    """Show each image unchanged, prepared, and in each epoch. For a single image, also show each effect alone."""
    reference = ops.load("reference")
    before = [("as it is", part.images[indices])]
    if preparation:
        before.append(("prepared", preparation.apply(part.images[indices])))
    single = len(indices) == 1
    rows = []
    for name, effect in preview.effect_steps(effects) if single else [("", effects)]:
        after = [
            preview.augment(reference, part.images, indices, preparation, effect, seed, epoch)
            for epoch in range(1, epochs + 1)
        ]
        columns = [*(images for _, images in before), *after]
        rows += [Row(name or part.title(index), [images[n] for images in columns]) for n, index in enumerate(indices)]
    heads = [name for name, _ in before] + [f"epoch {epoch}" for epoch in range(1, epochs + 1)]
    return Sheet(rows, heads, indices, f": {part.title(indices[0])}" if single else "")
