"""Keep corrected images in an HDF5 file: what a network was shown, what it said, and what is right.

The root has the attributes `format`, `format_version` and `fastdigits_version`. `images` (N, H, W) and `labels` (N,)
are a data set; `predictions` and `times` say where it comes from. The attributes `crc32` are checksums.
"""

from dataclasses import dataclass, fields

import h5py
import numpy as np

from fastdigits import __version__
from fastdigits.errors import UserError
from fastdigits.files import StrPath, write_atomically
from fastdigits.storage import hdf5

FORMAT = "fastdigits-images"
FORMAT_VERSION = 1
SIDE = 28  # rows and columns of an image in the format of MNIST
DIGITS = 10


@dataclass(frozen=True, eq=False)
class Corrections:
    """Corrected images, in the order in which they were added.

    Attributes
    ----------
    images : uint8 (N, 28, 28)
        In the format of MNIST.
    labels, predictions : uint8 (N,)
        The right digit, and the one that a network predicted.
    times : float64 (N,)
        When each was added, in seconds since 1970. Each is later than the one before, so that it identifies the image.
    """

    images: np.ndarray
    labels: np.ndarray
    predictions: np.ndarray
    times: np.ndarray

    @classmethod
    def none(cls) -> "Corrections":
        """Return no corrections."""
        return cls(np.zeros((0, SIDE, SIDE), np.uint8), np.zeros(0, np.uint8), np.zeros(0, np.uint8), np.zeros(0))

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def ids(self) -> list[int]:
        """The times in whole microseconds."""
        return [round(1e6 * time) for time in self.times.tolist()]

    def added(self, images: np.ndarray, labels: np.ndarray, predictions: np.ndarray, time: float) -> "Corrections":
        """Return these corrections and further ones, made at a time in seconds since 1970."""
        first = max(round(1e6 * time), *self.ids[-1:], 0) + 1
        times = np.arange(first, first + len(labels)) / 1e6
        new = Corrections(images, labels, predictions, times)
        pairs = zip(self._columns(), new._columns(), strict=True)
        return Corrections(*(np.concatenate(pair) for pair in pairs))

    def only(self, rows: np.ndarray) -> "Corrections":
        """Return the corrections in some rows: a mask, bool (N,), or indices."""
        return Corrections(*(column[rows] for column in self._columns()))

    def _columns(self) -> list[np.ndarray]:
        return [getattr(self, field.name) for field in fields(self)]


def write(path: StrPath, corrections: Corrections) -> None:
    """Write corrections to a file, completely or not at all; the same corrections give the same bytes.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    write_atomically(path, encoded(corrections))


def encoded(corrections: Corrections) -> bytes:
    """Return the content of the file that `write` writes."""

    def encode(file: h5py.File) -> None:
        hdf5.write_text(file, "format", FORMAT)
        hdf5.write_text(file, "fastdigits_version", __version__)
        file.attrs["format_version"] = FORMAT_VERSION
        for name, dtype in COLUMNS.items():
            hdf5.write_array(file, name, getattr(corrections, name), dtype)
        hdf5.write_texts_checksum(file)

    return hdf5.file_image(encode)


COLUMNS = {"images": "u1", "labels": "u1", "predictions": "u1", "times": "f8"}


def read(path: StrPath) -> Corrections:
    """Read the corrections in a file.

    Raises
    ------
    UserError
        If the file cannot be read, or holds no corrections of digits.
    """
    try:
        with hdf5.open_file(path) as file:
            return _decoded(file)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _decoded(file: h5py.File) -> Corrections:
    if not hdf5.has_attribute(file, "format") or hdf5.text(file, "format") != FORMAT:
        raise UserError("this HDF5 file holds no corrections; give one that 'fastdigits serve --learn' wrote.")
    if (version := hdf5.integer(file, "format_version")) != FORMAT_VERSION:
        raise UserError(f"its format {version} is not the one that fastdigits {__version__} knows; update fastdigits.")
    hdf5.check_texts(file)
    root = hdf5.group(file, "/")
    found = Corrections(*(hdf5.array(root, name, dtype) for name, dtype in COLUMNS.items()))
    count = found.labels.shape[:1]
    if found.images.shape != (*count, SIDE, SIDE) or {found.predictions.shape, found.times.shape, count} != {count}:
        hdf5.refuse(f"it does not have images of {SIDE} x {SIDE} pixels with one label, prediction and time each")
    if max(found.labels.max(initial=0), found.predictions.max(initial=0)) >= DIGITS:
        hdf5.refuse("it has a label that is not a digit")
    times = found.times
    if not (np.isfinite(times).all() and (np.diff(times) > 0).all() and (times >= 0).all() and (times < 1e11).all()):
        hdf5.refuse("its times are not ascending seconds since 1970")
    return found
