"""Data sets in memory: images, labels, and the names of the classes that the labels number."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastdigits.errors import UserError

DIGITS = tuple("0123456789")
Size = tuple[int, int]  # rows and columns
MAX_CLASSES = 1000
MAX_NAME = 100  # characters of a class name


@dataclass(frozen=True)
class DigitSet:
    """A data set.

    Attributes
    ----------
    name : str
        The argument of `load_digits`.
    train_images, test_images : uint8 (N, H, W)
        Those of a packed set are memory-mapped.
    train_labels, test_labels : uint8 or uint16 (N,)
        Indices into `classes`; uint16 if there are more than 256 classes.
    classes : tuple of str
        Names of the classes.
    notes : tuple of str
        What was recognized in the files, such as transposed images; each without a capital and a full stop.
    reading : dict
        The arguments of `load_digits` that said how to read the images, such as {"size": (28, 28)}.
    replay_reading : dict
        The same for images of another set that are appended to the training images; see training/replay.py.
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: tuple[str, ...] = DIGITS
    notes: tuple[str, ...] = ()
    reading: dict[str, Any] = field(default_factory=dict)
    replay_reading: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class DigitPart:
    """The training or the test part of a data set; see `DigitSet`."""

    name: str
    images: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...] = DIGITS
    notes: tuple[str, ...] = ()
    reading: dict[str, Any] = field(default_factory=dict)


def relabel(labels: np.ndarray, classes: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """Return labels that number the classes `wanted` instead of `classes`; equal names are the same class.

    Parameters
    ----------
    labels : integers (N,)
    classes, wanted : sequence of str

    Raises
    ------
    UserError
        If an image has a class that is not among those wanted.
    """
    numbers = {name: number for number, name in enumerate(wanted)}
    present = np.unique(labels).tolist()
    if unknown := [classes[label] for label in present if classes[label] not in numbers]:
        raise UserError(
            f"The images have the class{'es' if len(unknown) > 1 else ''} {some(unknown)}, but the network only knows "
            f"{some(wanted)}; give images of these classes, or train a network on the others."
        )
    table = np.zeros(len(classes), label_type(len(wanted)))
    for label in present:
        table[label] = numbers[classes[label]]
    return table[labels]


def label_type(classes: int) -> type[np.unsignedinteger]:
    """Return the type of labels for this number of classes."""
    return np.uint8 if classes <= 256 else np.uint16


def some(names: Iterable[str], limit: int = 10) -> str:
    """Format names for a message: at most `limit`, shortened and without characters that control a terminal."""
    names = list(names)
    shown = ", ".join(printable(name[:30]) for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def printable(name: str) -> str:
    """Return a name, or its Python notation if it has characters that control a terminal."""
    return name if name.isprintable() else ascii(name)
