"""Read IDX files, the format of MNIST: a big-endian header and unsigned bytes, optionally compressed with gzip."""

import gzip
import math
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from fastdigits.errors import UserError
from fastdigits.files import StrPath

GZIP_MAGIC = b"\x1f\x8b"
UNSIGNED_BYTE = 0x08
CLASSES = 10
MAX_BYTES = 1 << 30  # of uncompressed values
CHUNK_BYTES = 1 << 20


def read_images(path: StrPath) -> np.ndarray:
    """Read the images of an IDX file.

    Parameters
    ----------
    path : path
        gzip is recognized by the content, not by the name.

    Returns
    -------
    uint8 (N, H, W), writable

    Raises
    ------
    UserError
        If the file cannot be read or is not an IDX file with at least one image.
    """
    return _read(path, dimensions=3)


def read_labels(path: StrPath) -> np.ndarray:
    """Read the labels of an IDX file.

    Parameters
    ----------
    path : path
        gzip is recognized by the content, not by the name.

    Returns
    -------
    uint8 (N,), writable, values 0 to 9

    Raises
    ------
    UserError
        If the file cannot be read, is not an IDX file with at least one label, or has a label above 9.
    """
    labels = _read(path, dimensions=1)
    if labels.max() >= CLASSES:
        first = int(np.argmax(labels >= CLASSES))
        raise UserError(f"{path} has the label {labels[first]} at position {first}: labels must be 0 to 9.")
    return labels


def read_image_sizes(path: StrPath) -> tuple[int, int, int]:
    """Read only the header of an IDX file of images.

    Parameters
    ----------
    path : path
        gzip is recognized by the content, not by the name.

    Returns
    -------
    (N, H, W)

    Raises
    ------
    UserError
        If the file cannot be read or does not have the header of images.
    """
    with _opened(path) as file:
        count, rows, columns = _header(file, path, dimensions=3)
        return count, rows, columns


def _read(path: StrPath, dimensions: int) -> np.ndarray:
    with _opened(path) as file:
        sizes = _header(file, path, dimensions)
        count = math.prod(sizes)
        values = _read_up_to(file, count + 1)  # one more byte, to detect a file that is too long
    expected = f"the {count} bytes ({_format_sizes(sizes)}) that its header announces"
    if len(values) < count:
        raise UserError(f"{path} is cut short: it holds {len(values)} of {expected}; copy or download it again.")
    if len(values) > count:
        raise UserError(f"{path} holds more than {expected}; copy or download it again.")
    return np.frombuffer(values, np.uint8).reshape(sizes)


@contextmanager
def _opened(path: StrPath) -> Iterator[BinaryIO]:
    """Open a file, decompress it if it is gzip, and turn errors within the block into UserError."""
    try:
        with _opener(path)(path, "rb") as file:
            yield file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path} is damaged gzip ({error}); copy or download it again.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}); check the path.") from error


def _opener(path: StrPath) -> Callable[..., Any]:
    with open(path, "rb") as file:
        return gzip.open if file.read(len(GZIP_MAGIC)) == GZIP_MAGIC else open


def _header(file: BinaryIO, path: StrPath, dimensions: int) -> tuple[int, ...]:
    """Read and check the header; return the sizes, each at least 1 and their product at most MAX_BYTES."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise UserError(
            f"{path} is not an IDX file (it begins with {magic.hex(' ') or 'nothing'}); give one in MNIST's format."
        )
    if magic[2] != UNSIGNED_BYTE:
        raise UserError(f"{path} holds values of type 0x{magic[2]:02x}; write it with unsigned bytes (0x08).")
    if magic[3] != dimensions:
        raise UserError(
            f"{path} is {magic[3]}-dimensional instead of {dimensions}-dimensional; "
            "check that images (3) and labels (1) are not swapped."
        )
    packed = file.read(4 * dimensions)
    if len(packed) < 4 * dimensions:
        raise UserError(f"{path} is cut short in its header; copy or download it again.")
    sizes = struct.unpack(f">{dimensions}I", packed)
    if 0 in sizes:
        raise UserError(f"{path} is empty ({_format_sizes(sizes)} values); give a file with at least one.")
    if math.prod(sizes) > MAX_BYTES:
        raise UserError(
            f"{path} claims {_format_sizes(sizes)} bytes, more than the limit of 1 GiB; give a smaller or intact file."
        )
    return sizes


def _read_up_to(file: BinaryIO, count: int) -> bytearray:
    """Read up to `count` bytes in chunks, so that a wrong header cannot cause a huge allocation."""
    content = bytearray()
    while piece := file.read(min(CHUNK_BYTES, count - len(content))):
        content += piece
    return content


def _format_sizes(sizes: tuple[int, ...]) -> str:
    return " x ".join(map(str, sizes))
