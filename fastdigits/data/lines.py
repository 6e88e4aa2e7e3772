"""Lines of symbols in images of one height and various widths, and batches of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fastdigits.data.batches import Batches
from fastdigits.data.preprocessing import Normalisation
from fastdigits.errors import UserError
from fastdigits.ops.array import blocks
from fastdigits.ops.batch import NO_EFFECTS, Effects
from fastdigits.ops.interface import Array, Ops

WIDTH_STEP = 32  # pixels between the widths that images are padded to, so that few networks are built


@dataclass(frozen=True, eq=False)
class Lines:
    """Images of lines, uint8 (H, W) of one height H, with light ink on 0; and the text of each."""

    images: Sequence[np.ndarray]
    texts: Sequence[str]

    def __len__(self) -> int:
        return len(self.images)

    def chosen(self, rows: np.ndarray) -> "Lines":
        """Return the lines with these indices."""
        return Lines([self.images[row] for row in rows], [self.texts[row] for row in rows])


class LineBatch(NamedTuple):
    """A batch of lines on a device: x (B, 1, H, W, L), labels (B, S, L), time steps (B, L) and number of lines."""

    x: Array
    labels: Array
    steps: Array
    lines: int


def padded_width(width: int) -> int:
    """Return the width that an image is padded to."""
    return -(-width // WIDTH_STEP) * WIDTH_STEP


def by_width(images: Sequence[np.ndarray]) -> dict[int, np.ndarray]:
    """Return the indices of the images, int (n,), by the width that they are padded to, from narrow to wide."""
    widths = np.array([padded_width(image.shape[1]) for image in images], int)
    return {int(width): np.flatnonzero(widths == width) for width in np.unique(widths)}


class LineBatches:
    """Lines of similar width on a device.

    Parameters
    ----------
    ops : Ops
    lines : Lines
    width : int
        Width that the images are padded to with zeros at the right.
    steps : int
        Number of time steps of a line of this width.
    symbols : str
    batch_size : int
    normalisation : Normalisation
    effects : Effects
        Random changes to training images.
    seed : int
        Seed of these changes.

    Raises
    ------
    UserError
        If a text has a symbol that is not among `symbols`.
    """

    def __init__(
        self,
        ops: Ops,
        lines: Lines,
        width: int,
        steps: int,
        symbols: str,
        batch_size: int,
        normalisation: Normalisation,
        effects: Effects = NO_EFFECTS,
        seed: int = 0,
    ):
        images = np.stack([np.pad(image, ((0, 0), (0, width - image.shape[1]))) for image in lines.images])
        all_steps = np.full(len(images), steps, np.min_scalar_type(steps))
        self.ops, self.batches = ops, Batches(ops, images, all_steps, batch_size, normalisation, effects, seed)
        numbers = encode(lines.texts, symbols)
        self.texts = ops.upload(numbers)
        self.no_labels = ops.zeros((len(images), 1), np.uint8)
        count = blocks(batch_size, ops.lanes)
        self.labels = ops.empty((count, numbers.shape[1], ops.lanes))
        self.no_targets = ops.empty((count, ops.lanes))

    def __len__(self) -> int:
        return len(self.texts)

    def batch(self, order: Array, first: int, epoch: int, training: bool) -> LineBatch:
        """Return the lines from position `first` of `order`, int32 indices on the device, up to the batch size.

        The batch overwrites the arrays of the previous one. With `training` the images are changed at random,
        differently in every epoch.
        """
        batches, ops = self.batches, self.ops
        batches.seek(first, epoch)
        count = min(batches.batch_size, len(order) - first)
        [(x, steps, _)] = batches.parts(order, count, training)
        arguments: dict[str, Any] = {
            "images": self.texts,
            "labels": self.no_labels,
            "order": order,
            "start": batches.start,
            "count": count,
            "scale": np.float32(1),
            "shift": np.float32(-1),
            "x": self.labels,
            "targets": self.no_targets,
        }
        ops.gather_batch(**arguments)
        return LineBatch(x, self.labels, steps, count)


def encode(texts: Sequence[str], symbols: str) -> np.ndarray:
    """Return uint8 (N, S) with the number of each symbol, from 1 on, and 0 after the end of a text.

    Raises
    ------
    UserError
        If a text has another symbol.
    """
    numbers = np.zeros((len(texts), max(1, *map(len, texts))), np.uint8)
    for row, text in zip(numbers, texts, strict=True):
        if unknown := set(text) - set(symbols):
            raise UserError(f"The text '{text}' has '{min(unknown)}', which is not among the symbols '{symbols}'.")
        row[: len(text)] = [symbols.index(symbol) + 1 for symbol in text]
    return numbers
