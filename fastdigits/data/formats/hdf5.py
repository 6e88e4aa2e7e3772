"""Read and write data sets as HDF5, in a layout of our own, and read the arrays of other HDF5 files.

The file has the attributes `format` ("fastdigits-dataset"), `format_version` (1) and `classes` (JSON: a list of names).
Its groups `train` and `test`, or its root if the set has no parts, hold `images`, uint8 (N, H, W), and `labels`, the
index of the class, uint8 or uint16 (N,). What is written here can be memory-mapped: the images lie in one piece.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5l

from fastdigits.data.dataset import MAX_CLASSES, MAX_NAME, label_type
from fastdigits.data.formats.arrays import contents_of, is_known
from fastdigits.data.formats.opening import check_expansion
from fastdigits.data.formats.types import CHUNK_IMAGES, Contents, Part, array_part, sliced
from fastdigits.errors import UserError
from fastdigits.files import StrPath, replaced

FORMAT, FORMAT_VERSION = "fastdigits-dataset", 1
MAX_ATTRIBUTE = 60_000  # bytes of the names of all classes
MAX_DEPTH, MAX_ARRAYS = 5, 100
MAX_BYTES = 4 << 30  # of the arrays of other files
PAGE = 4096


@dataclass(frozen=True, eq=False)
class Images:
    """Images to write: their number and size, their labels, and the images uint8 (n, H, W) in any number of pieces."""

    count: int
    size: tuple[int, int]
    labels: np.ndarray
    pieces: Iterator[np.ndarray]


def write(path: StrPath, parts: Mapping[str, tuple[np.ndarray, np.ndarray]], classes: Sequence[str]) -> None:
    """Write a data set from arrays in memory.

    Parameters
    ----------
    path : path
    parts : dict of (images, labels)
        Images uint8 (N, H, W) and labels, indices into `classes`, by the name of the part: "train" and "test", or "" if
        the set has no parts.
    classes : sequence of str

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    pieces = {
        part: Images(len(images), images.shape[1:], labels, sliced(images)) for part, (images, labels) in parts.items()
    }
    write_pieces(path, pieces, classes)


def write_pieces(path: StrPath, parts: Mapping[str, Images], classes: Sequence[str]) -> None:
    """Write a data set piece by piece, so that it may be larger than the memory; see `write`."""
    names = json.dumps([*classes]).encode()
    if len(names) > MAX_ATTRIBUTE:
        raise UserError(f"The names of the {len(classes)} classes are too long for a file; shorten them.")
    with (
        replaced(path) as temporary,
        h5py.File(temporary.name, "w", locking=False, alignment_threshold=PAGE, alignment_interval=PAGE) as file,
    ):
        for name, content in (("format", FORMAT.encode()), ("classes", names)):
            file.attrs.create(name, content, dtype=h5py.string_dtype(length=len(content)))
        file.attrs.create("format_version", FORMAT_VERSION, dtype="<u4")
        for part, images in parts.items():
            group = file.require_group(part) if part else file
            group.create_dataset("labels", data=images.labels.astype(label_type(len(classes))))
            dataset = group.create_dataset("images", (images.count, *images.size), np.uint8)
            done = 0
            for piece in images.pieces:
                dataset[done : done + len(piece)] = piece
                done += len(piece)


def open_file(path: Path) -> Contents:
    """Read the labels of a data set in our layout, or the arrays of another file such as x_train and y_train.

    Raises
    ------
    UserError
        If the file is damaged, of a newer version, or has no images and labels.
    """
    with _opened(path) as file:
        own = _text(file, "format") == FORMAT
        if own:
            return _read_own(path, file)
    return contents_of(read_arrays(path), path, may_be_transposed="emnist" in path.name.lower())


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of any HDF5 file whose names tell that they are images, labels or names, by their full name."""
    with _opened(path) as file:
        datasets = dict(_datasets(path, file, "", 0))
        wanted = {name: dataset for name, dataset in datasets.items() if is_known(name)}
        content = sum(prod(dataset.shape) * dataset.dtype.itemsize for dataset in wanted.values())
        if content > MAX_BYTES:
            raise UserError(f"{path} holds more than {MAX_BYTES >> 30} GiB; pack a smaller part of it.")
        check_expansion(path, content)
        return {name: dataset[()] for name, dataset in wanted.items()} or {name: np.empty(0) for name in datasets}


def _read_own(path: Path, file: h5py.File) -> Contents:
    version = int(file.attrs["format_version"])
    if version > FORMAT_VERSION:
        raise UserError(f"{path} is of the newer format version {version}; update fastdigits to read it.")
    names = json.loads(_text(file, "classes") or "")
    valid = isinstance(names, list) and all(isinstance(name, str) and 0 < len(name) <= MAX_NAME for name in names)
    if not valid or not 0 < len(names) <= MAX_CLASSES or len({*names}) < len(names):
        raise UserError(
            f"{path} has no list of at most {MAX_CLASSES:,} different names of classes; pack the set again."
        )
    found = {part: file[part] for part in ("train", "test") if part in file and _is_own_link(file, part)}
    parts = {part: _part(path, group, names) for part, group in (found or {"train": file}).items()}
    return Contents(parts, {str(number): name for number, name in enumerate(names)}, are_gray_levels=True)


def _part(path: Path, group: h5py.Group, names: list[str]) -> Part:
    images, labels = (_plain(path, group, name) for name in ("images", "labels"))
    where = f"{path} ({images.name.strip('/')})"
    if images.ndim != 3 or images.dtype != np.uint8 or 0 in images.shape:
        raise UserError(f"{where} is no array of uint8 (N, H, W); pack the set again.")
    if labels.shape != images.shape[:1] or labels.dtype not in (np.uint8, np.uint16):
        raise UserError(f"{where} has {len(images)} images but other labels; pack the set again.")
    check_expansion(path, prod(images.shape))
    numbers = labels[()]
    if numbers.max() >= len(names):
        raise UserError(f"{where} has the label {numbers.max()} but {len(names)} classes; pack the set again.")
    offset = images.id.get_offset()
    if images.chunks is not None:
        file_part = images.name
        return Part(where, len(images), numbers, lambda size: _chunks(path, file_part))
    if offset is None or offset + prod(images.shape) > path.stat().st_size:
        raise UserError(f"{where} is cut short; copy or pack the set again.")
    # Copy on write: a change in memory never reaches the file, and the arrays are as writable as any others
    mapped = np.memmap(path, np.uint8, "c", offset, images.shape)
    part = array_part(where, mapped, numbers)
    return Part(where, len(mapped), numbers, part.chunks, mapped)


def _chunks(path: Path, name: str) -> Iterator[np.ndarray]:
    with _opened(path) as file:
        dataset = file[name]
        for start in range(0, len(dataset), CHUNK_IMAGES):
            yield dataset[start : start + CHUNK_IMAGES]


def _datasets(path: Path, group: h5py.Group, prefix: str, depth: int) -> Iterator[tuple[str, h5py.Dataset]]:
    """Yield the names and arrays of numbers in a group and the groups in it, without following links to elsewhere."""
    for name in list(group)[:MAX_ARRAYS]:
        if name.startswith("#") or not _is_own_link(group, name):
            continue
        item = group[name]
        if isinstance(item, h5py.Group) and depth < MAX_DEPTH:
            yield from _datasets(path, item, f"{prefix}{name}.", depth + 1)
        elif isinstance(item, h5py.Dataset) and item.dtype.kind in "biufS" and item.shape:
            yield f"{prefix}{name}", _plain(path, group, name)


def _plain(path: Path, group: h5py.Group, name: str) -> h5py.Dataset:
    """Return an array whose numbers are in this file."""
    if name not in group or not _is_own_link(group, name) or not isinstance(group[name], h5py.Dataset):
        raise UserError(f"{path} has no {name}; pack the set again.")
    dataset = group[name]
    layout = dataset.id.get_create_plist()
    if layout.get_layout() == h5d.VIRTUAL or layout.get_external_count():
        raise UserError(f"{path} keeps {name!a} in another file, which is not read; copy the numbers into it.")
    return dataset


def _is_own_link(group: h5py.Group, name: str) -> bool:
    return group.id.links.get_info(name.encode()).type == h5l.TYPE_HARD


def _text(file: h5py.File, name: str) -> str | None:
    """Return a text attribute of fixed length, or None."""
    if name not in file.attrs:
        return None
    attribute = file.attrs.get_id(name)
    if attribute.shape != () or attribute.dtype.kind != "S":
        return None
    return bytes(file.attrs[name]).decode("utf8", "replace")


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """Open a file, and turn the errors that h5py raises for damaged files within the block into UserError."""
    file: Any = None
    try:
        file = h5py.File(path, "r", locking=False)
        yield file
    except UserError:
        raise
    except (OSError, LookupError, RuntimeError, ValueError, TypeError, MemoryError, RecursionError) as error:
        raise UserError(f"{path} is damaged or cut short; copy or pack the set again.") from error
    finally:
        if file is not None:
            with suppress(Exception):
                file.close()
