"""What a reader of a format returns: parts whose labels are known and whose images are still to be read."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastdigits.data.dataset import Size
from fastdigits.errors import UserError

CHUNK_IMAGES = 4096  # read at a time


@dataclass(frozen=True, eq=False)
class Part:
    """The training or the test part of a data set, or a set that has no parts.

    Attributes
    ----------
    source : str
        The file or folder with the images, for messages.
    count : int
        Number of images.
    labels : array (N,) or None
        Whole numbers or texts as in the file; None if there are none.
    chunks : function
        Takes the size that pictures of different sizes are resized to, or None. Returns an iterator over arrays of
        images in any of the shapes and types that `data.conversion` takes.
    mapped : uint8 (N, H, W), optional
        All images, memory-mapped, if the file holds them in this form.
    """

    source: str
    count: int
    labels: np.ndarray | None
    chunks: Callable[[Size | None], Iterator[np.ndarray]]
    mapped: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Contents:
    """The content of a file or folder.

    Attributes
    ----------
    parts : dict
        By name: "train", "test", or both; a set without parts is "train".
    names : dict
        Names of the classes by the text of their label, in the order of the classes, if the files have names. Others
        are named after their label.
    may_be_transposed : bool
        Whether rows and columns may be swapped, as in files that MATLAB has written.
    are_gray_levels : bool
        Whether the format says that 0 is black and 255 is white, as in pictures.
    notes : tuple of str
        What was recognized or left out, each without a capital and a full stop.
    """

    parts: dict[str, Part]
    names: Mapping[str, str] | None = None
    may_be_transposed: bool = False
    are_gray_levels: bool = False
    notes: tuple[str, ...] = ()


def array_part(source: Any, images: np.ndarray, labels: np.ndarray | None) -> Part:
    """Return a part whose images are in memory."""
    return Part(str(source), len(images), labels, lambda size: sliced(images))


def sliced(images: np.ndarray) -> Iterator[np.ndarray]:
    """Yield an array in chunks."""
    for start in range(0, len(images), CHUNK_IMAGES):
        yield images[start : start + CHUNK_IMAGES]


def joined(parts: list[Part]) -> Part:
    """Return several parts as one, in this order.

    Raises
    ------
    UserError
        If only some of them have labels.
    """
    if len(parts) == 1:
        return parts[0]
    unlabelled = [part for part in parts if part.labels is None]
    if unlabelled and len(unlabelled) < len(parts):
        raise UserError(f"{unlabelled[0].source} has no labels, but the files next to it have; give labels to all.")
    labels = None if unlabelled else np.concatenate([part.labels for part in parts if part.labels is not None])
    count = sum(part.count for part in parts)
    return Part(parts[0].source, count, labels, lambda size: (one for part in parts for one in part.chunks(size)))
