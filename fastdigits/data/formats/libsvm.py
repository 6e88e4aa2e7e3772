"""Read files in the format of LIBSVM, such as those of USPS: a line per image, "label 1:value 2:value ..."."""

import re
from collections.abc import Iterator
from math import isqrt
from pathlib import Path

import numpy as np

from fastdigits.data.formats.opening import opened
from fastdigits.data.formats.types import Contents, array_part
from fastdigits.errors import UserError

LINE = re.compile(rb"[^\s:]{1,50}(\s+\d+:[^\s:]+)+\s*")
SIDES = (8, 16, 20, 28, 32, 48, 64, 96, 128, 256)  # of images whose last pixels may be left out, as they are 0
MAX_LINE = 1 << 20
MAX_PIXELS = 1 << 16  # of an image
MAX_BYTES = 4 << 30  # of all numbers


def is_head(content: bytes) -> bool:
    """Return whether a file that begins like this has this format."""
    line = content.split(b"\n", 1)[0]
    return bool(LINE.fullmatch(line if len(line) < len(content) else line.rsplit(None, 1)[0] if line.strip() else line))


def open_files(paths: dict[str, list[Path]]) -> Contents:
    """Read the files of each part; a number that a line leaves out is 0.

    Raises
    ------
    UserError
        If a line is not in the format.
    """
    read = {part: [_read(path) for path in files] for part, files in paths.items()}
    pixels = int(max(indices.max() for tables in read.values() for _, _, indices, _ in tables))
    side = _side(pixels)
    parts = {}
    for part, tables in read.items():
        labels = np.concatenate([labels for labels, _, _, _ in tables])
        if len(labels) * side * side * 4 > MAX_BYTES:
            raise UserError(f"{paths[part][0]} has more numbers than {MAX_BYTES >> 30} GiB hold; give a part of it.")
        images = [np.zeros((len(labels), side * side), np.float32) for labels, _, _, _ in tables]
        for image, (_, rows, indices, values) in zip(images, tables, strict=True):
            image[rows, indices - 1] = values
        parts[part] = array_part(paths[part][0], np.concatenate(images).reshape(-1, side, side), labels)
    known = side**2 == pixels
    note = f"lines with numbers up to {pixels} are read as images of {side} x {side} pixels"
    return Contents(parts, notes=() if known else (note,))


def _side(pixels: int) -> int:
    """Return the side of images whose last number that is not left out is number `pixels`."""
    side = isqrt(pixels - 1) + 1
    return side if side**2 == pixels else next((known for known in SIDES if known >= side), side)


def _read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the labels, and the row, index and value of each number."""
    labels, rows, indices, values = [], [], [], []
    for number, line in enumerate(_lines(path)):
        label, *pairs = line.split()
        try:
            index, value = np.array([pair.split(b":") for pair in pairs], "S32").reshape(-1, 2).T
            indices.append(index.astype(np.int64))
            values.append(value.astype(np.float32))
        except ValueError as error:
            raise UserError(f"Line {number + 1} of {path} is not 'label 1:value 2:value ...'; correct it.") from error
        if len(pairs) and not (indices[-1].min() > 0 and indices[-1].max() <= MAX_PIXELS):
            raise UserError(f"Line {number + 1} of {path} has an index outside 1 to {MAX_PIXELS}; correct it.")
        labels.append(label.decode("utf8", "replace"))
        rows.append(np.full(len(pairs), number))
    if not labels or not sum(map(len, indices)):
        raise UserError(f"{path} holds no images; give a file with at least one.")
    return np.array(labels), np.concatenate(rows), np.concatenate(indices), np.concatenate(values)


def _lines(path: Path) -> Iterator[bytes]:
    with opened(path) as file:
        while line := file.readline(MAX_LINE):
            if len(line) == MAX_LINE:
                raise UserError(f"{path} has a line of more than {MAX_LINE} bytes; give one image per line.")
            if line.strip():
                yield line
