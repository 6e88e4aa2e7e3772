"""Read IDX files, the format of MNIST: a big-endian header and numbers, optionally compressed."""

import math
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from fastdigits.data.formats.opening import check_expansion, opened
from fastdigits.data.formats.types import CHUNK_IMAGES, Contents, Part, Size
from fastdigits.errors import UserError
from fastdigits.files import StrPath

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
IMAGE_DIMENSIONS, LABEL_DIMENSIONS = (2, 3, 4), (1, 2)
MAX_BYTES = 1 << 30  # that are read into memory
CHUNK_BYTES = 1 << 20
FILE_NAME = re.compile(
    r"(?P<set>.*?)[-_.]?(?P<part>train|t10k|test)[-_.](?P<kind>image|label)s?[-_.]idx\d[-_.]?\w+(\.(gz|bz2|xz))?", re.I
)
PARTS = {"train": "train", "t10k": "test", "test": "test"}
MAX_MAPPING = 1 << 16  # bytes


def read_images(path: StrPath) -> np.ndarray:
    """Read the images of an IDX file.

    Parameters
    ----------
    path : path
        Compression is recognized by the content, not by the name.

    Returns
    -------
    (N, H, W), writable
        Of the type of the file; uint8 in MNIST.

    Raises
    ------
    UserError
        If the file cannot be read, is not an IDX file with at least one image, or holds more than 1 GiB.
    """
    return _read(path, IMAGE_DIMENSIONS)


def read_labels(path: StrPath) -> np.ndarray:
    """Read the labels of an IDX file; if it holds several numbers per image, as that of QMNIST, the first ones.

    Parameters
    ----------
    path : path
        Compression is recognized by the content, not by the name.

    Returns
    -------
    (N,), writable
        Of the type of the file; uint8 in MNIST.

    Raises
    ------
    UserError
        If the file cannot be read or is not an IDX file with at least one label.
    """
    labels = _read(path, LABEL_DIMENSIONS)
    return labels if labels.ndim == 1 else labels[:, 0].copy()


def open_folder(folder: Path) -> Contents | None:
    """Find the IDX files of a data set in a folder and read their labels; return None if there are none.

    Raises
    ------
    UserError
        If a file is missing or damaged, the files do not belong together, or there are those of several sets.
    """
    files = _find(folder)
    if not files:
        return None
    parts = {part: _part(folder, part, files) for part in ("train", "test") if {k for p, k in files if p == part}}
    name = next(iter(files.values())).name
    match = FILE_NAME.fullmatch(name)
    prefix = match["set"] if match else ""
    return Contents(parts, _mapping(folder, prefix), "emnist" in str(folder / prefix).lower())


def _find(folder: Path) -> dict[tuple[str, str], Path]:
    """Return the files by part and kind; an uncompressed file is preferred to a compressed one."""
    files: dict[tuple[str, str], Path] = {}
    sets: dict[str, None] = {}
    for path in sorted(folder.iterdir()):
        match = FILE_NAME.fullmatch(path.name)
        if match and path.is_file():
            files.setdefault((PARTS[match["part"].lower()], match["kind"].lower()), path)
            sets[match["set"]] = None
    if len(sets) > 1:
        raise UserError(
            f"The data folder {folder} holds the files of several sets ({', '.join(ascii(name) for name in sets)}); "
            "put the four files of one into a folder of their own."
        )
    return files


def _part(folder: Path, part: str, files: dict[tuple[str, str], Path]) -> Part:
    for kind in ("image", "label"):
        if (part, kind) not in files:
            prefix = {"train": "train", "test": "t10k"}[part]
            name = f"{prefix}-{kind}s-idx{3 if kind == 'image' else 1}-ubyte"
            raise UserError(f"The data folder {folder} has no {name} (plain or .gz); put that file into it.")
    images, labels = files[part, "image"], read_labels(files[part, "label"])
    count = read_image_sizes(images)[0]
    if count != len(labels):
        raise UserError(
            f"{images} has {count} images but {files[part, 'label']} has {len(labels)} labels; "
            "use two files that belong together."
        )
    return Part(str(images), count, labels, lambda size: _chunks(images, size))


def _mapping(folder: Path, prefix: str) -> dict[str, str] | None:
    """Read the names of the classes from a file like emnist-letters-mapping.txt: a label and its ASCII codes."""
    path = folder / f"{prefix}-mapping.txt"
    if not prefix or not path.is_file():
        return None
    try:
        with open(path, "rb") as file:
            lines = file.read(MAX_MAPPING).decode("ascii").split("\n")
        rows = [line.split() for line in lines if line.strip()]
        return {str(int(row[0])): chr(int(row[1])) for row in rows}
    except (OSError, ValueError, IndexError, OverflowError) as error:
        raise UserError(f"{path} is not a list of labels and ASCII codes; copy or download it again.") from error


def read_image_sizes(path: StrPath) -> tuple[int, ...]:
    """Read only the header of an IDX file of images.

    Parameters
    ----------
    path : path
        Compression is recognized by the content, not by the name.

    Returns
    -------
    (N, H, W)

    Raises
    ------
    UserError
        If the file cannot be read or does not have the header of images.
    """
    with opened(path) as file:
        return _header(file, path, IMAGE_DIMENSIONS)[0]


def _chunks(path: Path, size: Size | None) -> Iterator[np.ndarray]:
    with opened(path) as file:
        sizes, dtype = _header(file, path, IMAGE_DIMENSIONS)
        image = math.prod(sizes[1:]) * dtype.itemsize
        for start in range(0, sizes[0], CHUNK_IMAGES):
            count = min(CHUNK_IMAGES, sizes[0] - start)
            content = _read_up_to(file, count * image)
            if len(content) < count * image:
                _check_length(path, start * image + len(content), sizes, dtype)
            yield np.frombuffer(content, dtype).reshape(count, *sizes[1:])
        if file.read(1):
            _check_length(path, sizes[0] * image + 1, sizes, dtype)


def _read(path: StrPath, dimensions: tuple[int, ...]) -> np.ndarray:
    with opened(path) as file:
        sizes, dtype = _header(file, path, dimensions)
        count = math.prod(sizes) * dtype.itemsize
        if count > MAX_BYTES:
            raise UserError(
                f"{path} claims {_format_sizes(sizes)} values, more than the limit of 1 GiB; give a smaller or intact "
                "file, or pack the set with 'fastdigits data pack'."
            )
        values = _read_up_to(file, count + 1)  # one more byte, to detect a file that is too long
    _check_length(path, len(values), sizes, dtype)
    array = np.frombuffer(values, dtype).reshape(sizes)
    return array if dtype.itemsize == 1 else array.astype(dtype.newbyteorder("="))


def _header(file: BinaryIO, path: StrPath, dimensions: tuple[int, ...]) -> tuple[tuple[int, ...], np.dtype]:
    """Read and check the header; return the sizes, each at least 1, and the type of the values."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise UserError(
            f"{path} is not an IDX file (it begins with {magic.hex(' ') or 'nothing'}); give one in MNIST's format."
        )
    if magic[2] not in TYPES:
        raise UserError(f"{path} holds values of type 0x{magic[2]:02x}, which IDX does not know; give an intact file.")
    if magic[3] not in dimensions:
        usual = 3 if dimensions is IMAGE_DIMENSIONS else 1
        raise UserError(
            f"{path} is {magic[3]}-dimensional instead of {usual}-dimensional; "
            "check that images (3) and labels (1) are not swapped."
        )
    packed = file.read(4 * magic[3])
    if len(packed) < 4 * magic[3]:
        raise UserError(f"{path} is cut short in its header; copy or download it again.")
    sizes = struct.unpack(f">{magic[3]}I", packed)
    if 0 in sizes:
        raise UserError(f"{path} is empty ({_format_sizes(sizes)} values); give a file with at least one.")
    dtype = np.dtype(TYPES[magic[2]])
    content = math.prod(sizes) * dtype.itemsize
    check_expansion(path, content)
    return sizes, dtype


def _check_length(path: StrPath, length: int, sizes: tuple[int, ...], dtype: np.dtype) -> None:
    """Raise UserError unless a file holds as many bytes as its header announces."""
    count = math.prod(sizes) * dtype.itemsize
    expected = f"the {count} bytes ({_format_sizes(sizes)}) that its header announces"
    if length < count:
        raise UserError(f"{path} is cut short: it holds {length} of {expected}; copy or download it again.")
    if length > count:
        raise UserError(f"{path} holds more than {expected}; copy or download it again.")


def _read_up_to(file: BinaryIO, count: int) -> bytearray:
    """Read up to `count` bytes in chunks, so that a wrong header cannot cause a huge allocation."""
    content = bytearray()
    while piece := file.read(min(CHUNK_BYTES, count - len(content))):
        content += piece
    return content


def _format_sizes(sizes: tuple[int, ...]) -> str:
    return " x ".join(map(str, sizes))
