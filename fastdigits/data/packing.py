"""Pack a data set of any format into an HDF5 file that is mapped into memory, piece by piece."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from fastdigits.data.dataset import Size
from fastdigits.data.formats import hdf5
from fastdigits.data.sources import Reading, Source
from fastdigits.errors import UserError, setting
from fastdigits.files import StrPath


@dataclass(frozen=True)
class Packed:
    """What was packed: the number of images of each part, their size, the classes, and what was recognized."""

    counts: dict[str, int]
    size: Size
    classes: tuple[str, ...]
    notes: tuple[str, ...]


def pack(
    data: StrPath,
    path: StrPath,
    *,
    size: int | Size | None = None,
    value_range: tuple[float, float] | None = None,
    transpose: bool | None = None,
) -> Packed:
    """Write a data set to a file from which `load_digits` maps the images into memory.

    A set without a test part is split as `load_digits` does. The memory that this takes does not depend on the number
    of images, except for formats whose arrays are read as a whole: NPZ and MAT.

    Parameters
    ----------
    data, size, value_range, transpose
        See `load_digits`.
    path : path
        The file to write.

    Raises
    ------
    UserError
        If the set cannot be read or has no labels, its parts have images of different sizes, or the file cannot be
        written.
    """
    source = Source(data, Reading(size, value_range, transpose))
    labels = source.labels("train")
    parts = {}
    if source.has_test_part:
        for part in ("train", "test"):
            parts[part] = _images(source.pieces(part), source.labels(part))
    else:
        rows = source.split()
        is_test = np.zeros(len(labels), bool)
        is_test[rows["test"]] = True
        for part, chosen in (("train", ~is_test), ("test", is_test)):
            parts[part] = _images(_chosen(source.pieces("train"), chosen), labels[chosen])
    sizes = {images.size for images in parts.values()}
    if len(sizes) > 1:
        raise UserError(
            f"{source.name} has training and test images of different sizes; resize them with {setting('size', 28)}."
        )
    hdf5.write_pieces(path, parts, source.classes)
    counts = {part: images.count for part, images in parts.items()}
    return Packed(counts, sizes.pop(), source.classes, tuple(source.notes))


def _images(pieces: Iterator[np.ndarray], labels: np.ndarray) -> hdf5.Images:
    first = next(pieces)
    return hdf5.Images(len(labels), first.shape[1:], labels, chain([first], pieces))


def _chosen(pieces: Iterator[np.ndarray], chosen: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the images of a part of a set without parts."""
    first = 0
    for piece in pieces:
        wanted = piece[chosen[first : first + len(piece)]]
        first += len(piece)
        if len(wanted):
            yield wanted
