"""Read Parquet files as on Hugging Face: a column of encoded pictures and one of labels, or a table of pixels."""

import json
from collections.abc import Iterator
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from fastdigits.data.conversion import fitted, to_gray
from fastdigits.data.dataset import some
from fastdigits.data.formats.csv_files import LABELS, NUMBERS, REORDERED, in_order
from fastdigits.data.formats.pictures import check_same_size
from fastdigits.data.formats.types import Contents, Part, Size, joined
from fastdigits.errors import UserError
from fastdigits.imaging import read_picture

BATCH_IMAGES = 1024  # read at a time
MAX_ROWS = 1 << 31


def open_files(paths: dict[str, list[Path]]) -> Contents:
    """Find the columns of the pictures and labels of each part, and read the labels.

    Raises
    ------
    UserError
        If a file is damaged or has no column of pictures.
    """
    names: dict[str, str] | None = None
    parts = {}
    notes: dict[str, None] = {}
    for part, files in paths.items():
        opened = []
        for path in files:
            found, declared, said = _open(path)
            names = names or declared
            notes.update(dict.fromkeys(said))
            opened.append(found)
        parts[part] = joined(opened)
    return Contents(parts, names, notes=tuple(notes))


def _open(path: Path) -> tuple[Part, dict[str, str] | None, tuple[str, ...]]:
    """Return the images and labels of a file, the names of its classes if it has some, and notes."""
    with _Guarded(path):
        file = pyarrow.parquet.ParquetFile(path)
        schema, rows = file.schema_arrow, file.metadata.num_rows
    if not 0 < rows < MAX_ROWS:
        raise UserError(f"{path} holds no images; give a file with at least one.")
    label = next((name for name in schema.names if name.lower() in LABELS), None)
    pictures = [
        field.name for field in schema if field.name != label and (_is_encoded(field.type) or _is_nested(field.type))
    ]
    if len(pictures) == 1:
        columns = pictures
    else:
        columns = [
            field.name
            for field in schema
            if field.name != label and field.name.lower() not in NUMBERS and _is_number(field.type)
        ]
    order = in_order(columns)
    notes = () if order == sorted(order) else (REORDERED,)
    columns = [columns[number] for number in order]
    if not columns or (len(pictures) != 1 and isqrt(len(columns)) ** 2 != len(columns)):
        raise UserError(
            f"{path} has no column of pictures (it has {some(map(ascii, schema.names))}); give one with the columns "
            "image and label, as on Hugging Face."
        )
    labels = None
    if label is not None:
        with _Guarded(path):
            labels = _labels(path, file.read([label]).column(0))
    part = Part(str(path), rows, labels, lambda size: _chunks(path, columns, size))
    return part, _declared(schema, label), notes


def _labels(path: Path, column: Any) -> np.ndarray:
    if column.null_count:
        raise UserError(f"{path} has {column.null_count:,} rows without a label; complete or remove them.")
    if pyarrow.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    values = column.to_numpy()
    return np.array([str(value) for value in values]) if values.dtype.kind == "O" else values


def _chunks(path: Path, columns: list[str], size: Size | None) -> Iterator[np.ndarray]:
    first: tuple[str, tuple[int, ...]] | None = None
    done = 0
    file = None
    with _Guarded(path):
        file = pyarrow.parquet.ParquetFile(path)
        batches = file.iter_batches(BATCH_IMAGES, columns=columns)
    while True:
        with _Guarded(path):
            batch = next(batches, None)
        if batch is None:
            return
        if len(columns) > 1:
            side = isqrt(len(columns))
            with _Guarded(path):
                yield np.stack([column.to_numpy(zero_copy_only=False) for column in batch], axis=1).reshape(
                    -1, side, side
                )
            continue
        images = []
        for number, value in enumerate(batch.column(0), done):
            name = f"Image {number} of {path}"
            image = _image(value, name)
            if image.dtype == np.uint8 and image.ndim == 2 and size is not None:
                image = fitted(image, size)
            first = first or (name, image.shape)
            if len(image.shape) < 2:
                raise UserError(f"{name} is a list of {len(image)} numbers and no picture; give rows of pixels.")
            check_same_size(first[0], first[1][:2], name, image.shape[:2])
            images.append(image)
        done += len(images)
        yield np.stack(images)


def _image(value: Any, name: str) -> np.ndarray:
    """Return an encoded picture as gray levels, or nested lists as they are."""
    content = value.as_py()
    if isinstance(content, dict):
        content = content.get("bytes")
    if isinstance(content, bytes):
        try:
            return to_gray(read_picture(content))
        except UserError as error:
            raise UserError(f"{name}: {error}") from error
    try:
        image = np.array(content)
    except ValueError:
        image = np.array(None)
    if image.dtype.kind not in "biuf" or image.ndim not in (1, 2, 3):
        raise UserError(f"{name} is missing or no picture; complete or remove its row.")
    if image.ndim == 1 and isqrt(len(image)) ** 2 == len(image):
        side = isqrt(len(image))
        return image.reshape(side, side)
    return image


def _is_encoded(kind: Any) -> bool:
    types = pyarrow.types
    if types.is_struct(kind):
        return any(field.name == "bytes" and _is_encoded(field.type) for field in kind)
    return types.is_binary(kind) or types.is_large_binary(kind)


def _is_nested(kind: Any) -> bool:
    types = pyarrow.types
    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)


def _is_number(kind: Any) -> bool:
    return pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind)


def _declared(schema: Any, label: str | None) -> dict[str, str] | None:
    """Return the names of the classes that Hugging Face's libraries store with the columns."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        names = features[label]["names"]
        return {str(number): name for number, name in enumerate(names) if isinstance(name, str)} or None
    except (KeyError, TypeError, ValueError, RecursionError):
        return None


class _Guarded:
    """Turn the errors of a damaged file within the block into UserError."""

    def __init__(self, path: Path):
        self.path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, UserError) or not isinstance(error, Exception):
            return
        raise UserError(f"{self.path} is damaged or cut short; copy or download it again.") from error
