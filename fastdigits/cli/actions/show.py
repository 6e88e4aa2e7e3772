"""What `fastdigits show` draws: the images that were asked for, in rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastdigits import ops
from fastdigits.data import preview
from fastdigits.data.preprocessing import Preparation
from fastdigits.ops.batch import Effects
from fastdigits.plots.sheet import Row

COLUMNS = 10


@dataclass(frozen=True, eq=False)
class Sheet:
    """Rows of images, what stands above their columns, the numbers of the images that are shown, and a note."""

    rows: list[Row]
    heads: list[str]
    shown: np.ndarray
    note: str = ""


@dataclass(frozen=True, eq=False)
class Part:
    """The training or the test images of a data set: images (N, H, W) and labels (N,), uint8."""

    images: np.ndarray
    labels: np.ndarray

    def title(self, row: int) -> str:
        """What an image shows, and its number."""
        return f"{self.labels[row]} #{row}"


def by_class(part: Part, classes: Sequence[int], count: int, seed: int) -> Sheet:
    """A row for each class."""
    groups = preview.sample_each_class(part.labels, classes, max(1, count // len(classes)), seed)
    rows = [
        Row(f"{digit}", part.images[group], [f"#{row}" for row in group])
        for digit, group in zip(classes, groups, strict=True)
    ]
    return Sheet(rows, [], np.concatenate(groups))


def in_lines(part: Part, chosen: np.ndarray) -> Sheet:
    """Line by line."""
    lines = [chosen[start : start + COLUMNS] for start in range(0, len(chosen), COLUMNS)]
    return Sheet([Row("", part.images[line], [*map(part.title, line)]) for line in lines], [], chosen)


def before_and_after(part: Part, chosen: np.ndarray, preparation: Preparation) -> Sheet:
    """The images as they are, and below after each step of a preparation, and after all of them."""
    steps = [("as it is", Preparation()), *preview.preparation_steps(preparation)]
    rows = [Row(name, step.apply(part.images[chosen])) for name, step in steps]
    return Sheet(rows, [*map(part.title, chosen)], chosen)


def changed_by_chance(
    part: Part, chosen: np.ndarray, preparation: Preparation, effects: Effects, seed: int, epochs: int
) -> Sheet:
    """Each image as it is, prepared, and as so many epochs of training see it; a single one with each effect alone."""
    reference = ops.load("reference")
    before = [("as it is", part.images[chosen])]
    if preparation:
        before.append(("prepared", preparation.apply(part.images[chosen])))
    alone = len(chosen) == 1
    parts = preview.effect_steps(effects) if alone else [("", effects)]
    rows = []
    for name, effect in parts:
        seen = [
            preview.augment(reference, part.images, chosen, preparation, effect, seed, epoch)
            for epoch in range(1, epochs + 1)
        ]
        for place, row in enumerate(chosen):
            images = [images[place] for images in (*(images for _, images in before), *seen)]
            rows.append(Row(name or part.title(row), images))
    heads = [name for name, _ in before] + [f"epoch {epoch}" for epoch in range(1, epochs + 1)]
    return Sheet(rows, heads, chosen, f": {part.title(chosen[0])}" if alone else "")
