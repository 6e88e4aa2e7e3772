"""Load data sets: the shipped MNIST files, sets that are known by name, and files and folders of many formats."""

import hashlib
import importlib.resources
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fastdigits.data import conversion
from fastdigits.data.dataset import MAX_CLASSES, MAX_NAME, DigitPart, DigitSet, Size, label_type, some
from fastdigits.data.formats import idx
from fastdigits.data.formats.types import Contents, Part
from fastdigits.data.named import SETS, folder_of_set
from fastdigits.data.splits import stratified_split
from fastdigits.errors import UserError, setting
from fastdigits.files import StrPath

SHIPPED = "mnist"
PARTS = ("train", "test")
TEST_SHARE = 5  # a set without a test part holds out one in five images
MAX_BYTES = 1 << 30  # of the images of a part in memory
DECIMAL = re.compile(r"[+-]?\d+\.\d*(e[+-]?\d+)?", re.I)
MAX_LABEL = 1e15
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
SHA256 = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}


@dataclass(frozen=True)
class Reading:
    """How to read images where it cannot be recognized, or is recognized wrongly.

    Attributes
    ----------
    size : int or (rows, columns), optional
        Resize the images to this size; by default they keep that of the files.
    value_range : (black, white), optional
        The values that stand for black and white; by default 0 to 255, 0 to 1, -1 to 1, 0 to 16, or those of the type.
    transpose : bool, optional
        Whether rows and columns are swapped in the files; by default files of MATLAB and EMNIST are examined.

    Raises
    ------
    UserError
        If a value is out of range.
    """

    size: int | Size | None = None
    value_range: tuple[float, float] | None = None
    transpose: bool | None = None

    def __post_init__(self) -> None:
        if self.shape is not None and not all(1 <= side <= conversion.MAX_SIDE for side in self.shape):
            raise UserError(f"The size {self.size} is out of range; choose 1 to {conversion.MAX_SIDE} pixels a side.")
        if self.value_range is not None:
            black, white = self.value_range
            if not (np.isfinite([black, white]).all() and black != white):
                raise UserError(f"The values {black} and {white} cannot stand for black and white; choose two numbers.")

    @property
    def shape(self) -> Size | None:
        """Rows and columns of the resized images."""
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    def to_dict(self) -> dict[str, Any]:
        """Return what is not left to be recognized, as arguments of `load_digits`."""
        values = {"size": self.shape, "value_range": self.value_range, "transpose": self.transpose}
        return {name: value for name, value in values.items() if value is not None}


def load_digits(
    data: StrPath = SHIPPED,
    *,
    size: int | Size | None = None,
    value_range: tuple[float, float] | None = None,
    transpose: bool | None = None,
) -> DigitSet:
    """Load a data set.

    A set without a test part is split: a fifth of each class is held out, always the same images.

    Parameters
    ----------
    data : str or path
        "mnist" for the shipped files, the name of a set that 'fastdigits data download' has fetched, or a file or
        folder: IDX, a folder of pictures for each class, CSV, NPZ, MAT, Parquet or HDF5. See docs/data.md.
    size, value_range, transpose
        How to read the images, if not as recognized; see `Reading`.

    Returns
    -------
    DigitSet

    Raises
    ------
    UserError
        If a file is missing, damaged or in no known format, or the files do not belong together.

    Examples
    --------
    >>> from fastdigits import load_digits
    >>> digits = load_digits("mnist")
    >>> digits.train_images.shape, digits.test_labels.shape
    ((60000, 28, 28), (10000,))
    >>> digits.classes[3]
    '3'
    """
    reading = Reading(size, value_range, transpose)
    source = Source(data, reading)
    train_images, train_labels = source.read("train")
    test_images, test_labels = source.read("test")
    if train_images.shape[1:] != test_images.shape[1:]:
        raise UserError(
            f"{data} has training images of {_size(train_images)} but test images of {_size(test_images)} pixels; "
            f"use files that belong together, or resize all images with {setting('size', 28)}."
        )
    return DigitSet(
        name=source.name,
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
        classes=source.classes,
        notes=tuple(source.notes),
        reading=reading.to_dict(),
    )


def load_part(data: StrPath, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Load the images and labels of the training or the test part of a data set; see `read_part`."""
    found = read_part(data, part)
    return found.images, found.labels


def read_part(
    data: StrPath,
    part: str,
    *,
    size: int | Size | None = None,
    value_range: tuple[float, float] | None = None,
    transpose: bool | None = None,
) -> DigitPart:
    """Load the training or the test part of a data set, without reading the images of the other one.

    Parameters
    ----------
    data, size, value_range, transpose
        See `load_digits`.
    part : "train" or "test"

    Raises
    ------
    UserError
        See `load_digits`.
    """
    reading = Reading(size, value_range, transpose)
    source = Source(data, reading)
    images, labels = source.read(part)
    return DigitPart(source.name, images, labels, source.classes, tuple(source.notes), reading.to_dict())


def load_images(
    data: StrPath,
    *,
    size: int | Size | None = None,
    value_range: tuple[float, float] | None = None,
    transpose: bool | None = None,
) -> np.ndarray:
    """Load all images of a file or folder, of the training part first; they need no labels.

    Parameters
    ----------
    data, size, value_range, transpose
        See `load_digits`.

    Returns
    -------
    uint8 (N, H, W)

    Raises
    ------
    UserError
        See `load_digits`.
    """
    source = Source(data, Reading(size, value_range, transpose))
    return np.concatenate([source.read_all(part) for part in source.contents.parts])


class Source:
    """A data set whose files are found and whose labels are read, but not yet its images.

    Attributes
    ----------
    name : str
    contents : Contents
    classes : tuple of str
        Empty if the set has no labels.
    notes : list of str
        What has been recognized so far.
    """

    def __init__(self, data: StrPath, reading: Reading | None = None):
        self.name, self.reading = os.fspath(data), reading or Reading()
        self.contents = open_contents(data)
        self.notes = [*self.contents.notes]
        self.classes, self._numbers = _number_classes(self.contents)
        for part, found in self.contents.parts.items():
            if found.labels is None and self._numbers:
                self.notes.append(f"the {part} part has no labels and is left out")
        self._recognized: tuple[conversion.Range, bool] | None = None
        self._rows: dict[str, np.ndarray] | None = None

    @property
    def has_test_part(self) -> bool:
        """Whether there are test images with labels; else a part of the training images is held out."""
        return "test" in self._numbers

    def labels(self, part: str) -> np.ndarray:
        """Return the labels of a part that is in the files.

        Raises
        ------
        UserError
            If the part is missing or has no labels.
        """
        if not self._numbers:
            raise UserError(f"{self.name} has no labels; give a set with a label for each image.")
        if part not in self._numbers:
            raise UserError(f"{self.name} has test images only; give a set with training images, too.")
        return self._numbers[part]

    def read(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """Read images uint8 (N, H, W) and labels (N,) of a part; if there is no test part, of a split.

        Raises
        ------
        UserError
            If the part is missing or has no labels, or its images cannot be read.
        """
        stored = part if self.has_test_part else "train"
        labels = self.labels(stored)
        images = self.read_all(stored)
        if self.has_test_part:
            return images, labels
        if images.nbytes > MAX_BYTES:
            raise UserError(
                f"{self.name} has no test part and more images than the limit of 1 GiB to split; run 'fastdigits data "
                "pack' on what it was packed from."
            )
        rows = self.split()[part]
        return images[rows], labels[rows]

    def read_all(self, part: str) -> np.ndarray:
        """Read all images of a part that is in the files, uint8 (N, H, W).

        Raises
        ------
        UserError
            If the images cannot be read, or have different sizes or more than 1 GiB.
        """
        found = self.contents.parts[part]
        if found.mapped is not None and self.reading.shape in (None, found.mapped.shape[1:]):
            return found.mapped
        pieces: list[np.ndarray] = []
        for piece in self.pieces(part):
            pieces.append(piece)
            if found.count * piece[0].size > MAX_BYTES:
                raise UserError(
                    f"{found.source} has {found.count:,} images of {_size(piece)} pixels, more than the limit of 1 GiB "
                    "in memory; run 'fastdigits data pack' and train from the packed file."
                )
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def pieces(self, part: str) -> Iterator[np.ndarray]:
        """Yield the images of a part, uint8 (n, H, W), piece by piece."""
        found, size, first = self.contents.parts[part], self.reading.shape, 0
        shape: tuple[int, ...] | None = None
        values, transposed = self._recognize()
        for chunk in found.chunks(size):
            images = _converted(chunk, values, transposed, found.source, first)
            if size is not None and images.shape[1:] != size:
                images = np.stack([conversion.fitted(image, size) for image in images])
            if max(images.shape[1:]) > conversion.MAX_SIDE:
                raise UserError(
                    f"{found.source} has images of {_size(images)} pixels; resize them with {setting('size', 28)}, or "
                    f"to at most {conversion.MAX_SIDE} pixels a side."
                )
            if shape not in (None, images.shape[1:]):
                raise UserError(
                    f"{found.source} has images of different sizes; resize them with {setting('size', 28)}."
                )
            shape, first = images.shape[1:], first + len(images)
            yield images
        if first != found.count:
            raise UserError(f"{found.source} has {first:,} images instead of {found.count:,}; take an intact copy.")

    def split(self) -> dict[str, np.ndarray]:
        """Return the indices of the images of both parts of a set without a test part."""
        if self._rows is None:
            labels = self._numbers["train"]
            count = len(labels) // TEST_SHARE
            if not count:
                raise UserError(
                    f"{self.name} has no test part and only {len(labels)} images, too few to hold any out; add more."
                )
            train, test = stratified_split(labels, count, seed=0)
            self._rows = {"train": train, "test": test}
            self.notes.append(
                f"there is no test part, so {count:,} of {len(labels):,} images are held out for it, always the same"
            )
        return self._rows

    def _recognize(self) -> tuple[conversion.Range, bool]:
        """Return the range of the values and whether the images are transposed, as seen in the first images."""
        if self._recognized is None:
            reading, part = self.reading, next(iter(self.contents.parts.values()))
            values, transposed = reading.value_range, reading.transpose
            examine = transposed is None and self.contents.may_be_transposed
            if self.contents.are_gray_levels:
                values = values or conversion.FULL
            if values is None:
                values = self._common_range()
                if values != conversion.FULL:
                    self.notes.append(f"values {values[0]:g} to {values[1]:g} are scaled to 0 to 255")
            if examine:
                chunk = next(iter(part.chunks(reading.shape)))
                transposed = conversion.look_transposed(_converted(chunk, values, False, part.source, 0))
                if transposed:
                    self.notes.append("rows and columns are swapped in the files, so the images are transposed")
            self._recognized = values, bool(transposed)
        return self._recognized

    def _common_range(self) -> conversion.Range:
        """Recognize the values of black and white in the first images of each part that are not all 0.

        Raises
        ------
        UserError
            If the parts have different ranges, as when only one of them has been scaled.
        """
        found: dict[conversion.Range, str] = {}
        for part in self.contents.parts.values():
            chunks = part.chunks(self.reading.shape)
            if (chunk := next((chunk for chunk in chunks if chunk.any()), None)) is not None:
                found.setdefault(conversion.value_range(chunk, part.source), part.source)
        if len(found) > 1:
            ((a, b), one), ((c, d), other) = [*found.items()][:2]
            raise UserError(
                f"The values of {one} are from {a:g} to {b:g}, but those of {other} from {c:g} to {d:g}; scale both in "
                f"the same way, or {conversion.how_to_give_range()}"
            )
        return next(iter(found), conversion.FULL)


def _converted(chunk: np.ndarray, values: conversion.Range, transposed: bool, source: str, first: int) -> np.ndarray:
    images = conversion.as_images(conversion.to_bytes(chunk, values, source, first), source)
    if images.ndim == 4:
        images = conversion.to_gray(images)
    return np.ascontiguousarray(images.swapaxes(1, 2)) if transposed else images


def open_contents(data: StrPath) -> Contents:
    """Find the files of a data set; see `load_digits` for `data`.

    Raises
    ------
    UserError
        If there is no such set, or its files are damaged or in no known format.
    """
    if data == SHIPPED:
        contents = idx.open_folder(shipped_folder())
        assert contents
        return contents
    from fastdigits.data.formats.detect import open_data  # imports much that MNIST does not need

    path = Path(data)
    if path.exists():
        return open_data(path)
    if data not in SETS:
        raise UserError(
            f"There is no data folder {data}; give a file or folder, or one of the names {', '.join((SHIPPED, *SETS))}."
        )
    folder = folder_of_set(os.fspath(data))
    if not folder.is_dir():
        raise UserError(f"{data} is not on this machine; run 'fastdigits data download {data}' first.")
    contents = open_data(folder)
    names = SETS[os.fspath(data)].names
    return contents if names is None else replace(contents, names=names)


def _number_classes(contents: Contents) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """Return the names of the classes, and the labels of each part as indices into them.

    Classes that the files do not name are sorted: by number if all labels are whole numbers, else as text.
    """
    texts = {name: _texts(part) for name, part in contents.parts.items() if part.labels is not None}
    present = Counter(text for unique, _ in texts.values() for text in unique)
    source = next(iter(contents.parts.values())).source
    if contents.names is not None and present.keys() <= contents.names.keys():
        labels = [*contents.names]
        classes = tuple(contents.names.values())
    else:
        whole = all(text.removeprefix("-").isdecimal() and len(text) < 19 for text in present)
        labels = sorted(present, key=(lambda text: (int(text), text)) if whole else None)
        classes = tuple(labels)
    if len(classes) > MAX_CLASSES:
        raise UserError(f"{source} has {len(classes):,} different labels, more than the limit of {MAX_CLASSES:,}.")
    for name in classes:
        if not 0 < len(name) <= MAX_NAME or not name.isprintable():
            raise UserError(
                f"{source} has the label {name[:30]!a}, which is no name of a class; use printable names of 1 to "
                f"{MAX_NAME} characters."
            )
    if len({*classes}) < len(classes):
        raise UserError(f"{source} has two classes of the same name among {some(classes)}; rename one.")
    numbers = {label: number for number, label in enumerate(labels)}
    kind = label_type(len(classes))
    return classes, {
        name: np.array([numbers[text] for text in unique], kind)[inverse] for name, (unique, inverse) in texts.items()
    }


def _texts(part: Part) -> tuple[list[str], np.ndarray]:
    """Return the different labels of a part as texts, and the index of each image's label.

    Raises
    ------
    UserError
        If a label is not a whole number or a text.
    """
    assert part.labels is not None
    values, inverse = np.unique(part.labels, return_inverse=True)
    if len(values) > 100 * MAX_CLASSES:
        raise UserError(f"{part.source} has {len(values):,} different labels, so they are no classes.")
    if values.dtype.kind == "f":
        if not (np.isfinite(values).all() and (values == np.rint(values)).all() and (abs(values) < MAX_LABEL).all()):
            raise UserError(f"{part.source} has labels that are no whole numbers, such as {values[-1]:g}; round them.")
        values = values.astype(np.int64)
    if values.dtype.kind == "b":
        values = values.astype(np.uint8)
    if values.dtype.kind == "S":
        values = np.array([value.decode("utf8", "replace") for value in values.tolist()])
    if values.dtype.kind not in "iuU":
        raise UserError(f"{part.source} has labels of type {values.dtype}; use whole numbers or texts.")
    texts = [_plain_text(value) for value in map(str, values.tolist())]
    unique = [*dict.fromkeys(texts)]
    merged = np.array([unique.index(text) for text in texts])
    return unique, merged[inverse.reshape(-1)]


def _plain_text(text: str) -> str:
    """Return a label without spaces around it, and a whole number without a fraction: 3 for 3.0 or 3.000e+00."""
    text = text.strip()
    if DECIMAL.fullmatch(text) and float(text).is_integer() and abs(float(text)) < MAX_LABEL:
        return str(int(float(text)))
    return text


@dataclass(frozen=True)
class PartSummary:
    """Number and size of the images in a part of a data set, and the number of classes."""

    images: int
    height: int
    width: int
    classes: int


def summarize_part(data: StrPath, part: str) -> PartSummary:
    """Summarize a part of a data set from its labels and its first images.

    Parameters
    ----------
    data, part
        See `read_part`.

    Raises
    ------
    UserError
        If the folder or a file is missing or damaged.
    """
    source = Source(data)
    found = source.contents.parts[part]
    height, width = next(source.pieces(part)).shape[1:]
    return PartSummary(found.count, height, width, len(source.classes))


def verify(folder: StrPath) -> list[tuple[str, str]]:
    """Compare the files in a folder with the sha256 checksums of the four original MNIST files.

    Parameters
    ----------
    folder : path

    Returns
    -------
    list of (file name, state)
        A state is "ok", "missing" or "wrong checksum".

    Raises
    ------
    UserError
        If a file exists but cannot be read.
    """
    return [(name, _state(Path(folder, name), digest)) for name, digest in SHA256.items()]


def shipped_folder() -> Path:
    """Return the folder of the shipped MNIST files."""
    try:
        package = importlib.resources.files("fastdigits_data")
    except (ModuleNotFoundError, NotADirectoryError):  # a source checkout or an editable install
        return Path(__file__).parents[2] / "data"
    return Path(str(package.joinpath(next(iter(SHA256))))).parent


def _state(path: Path, digest: str) -> str:
    try:
        with open(path, "rb") as file:
            return "ok" if hashlib.file_digest(file, "sha256").hexdigest() == digest else "wrong checksum"
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check the path.") from error


def _size(images: np.ndarray) -> str:
    return f"{images.shape[1]} x {images.shape[2]}"
