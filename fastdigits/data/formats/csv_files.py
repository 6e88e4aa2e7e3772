"""Read tables of pixels: CSV as of Kaggle's digit recognizer or the label-first MNIST, with commas, tabs or spaces."""

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np

from fastdigits.data.dataset import MAX_CLASSES
from fastdigits.data.formats.opening import opened
from fastdigits.data.formats.types import CHUNK_IMAGES, Contents, Part, Size, joined
from fastdigits.errors import UserError

LABELS = ("label", "labels", "class", "target", "y", "digit", "letter", "character")
NUMBERS = ("", "unnamed: 0", "id", "index", "imageid")  # columns that number the rows, as pandas writes
MAX_LINE = 1 << 24  # bytes
REORDERED = "the columns of pixels are put in the order of their names"
COMPARED_LINES = 100  # to find the label


@dataclass(frozen=True, eq=False)
class Layout:
    """Where a table has its values: `label` is the column of the label, and `pixels` are those of the pixels."""

    delimiter: str | None
    columns: int
    header: bool
    label: int | None
    pixels: list[int]
    size: Size
    note: str = ""


def open_files(paths: dict[str, list[Path]]) -> Contents:
    """Find the columns of the tables of each part and read their labels.

    Raises
    ------
    UserError
        If a table has no square number of columns of pixels, or is damaged.
    """
    layouts = {path: _layout(path) for files in paths.values() for path in files}
    parts = {part: joined([_open(path, layouts[path]) for path in files]) for part, files in paths.items()}
    names = " ".join(path.name for path in layouts)
    notes = dict.fromkeys(layout.note for layout in layouts.values() if layout.note)
    return Contents(parts, may_be_transposed="emnist" in names.lower(), notes=tuple(notes))


def _open(path: Path, layout: Layout) -> Part:
    if layout.label is None:
        count = sum(1 for _ in _lines(path, layout))
        labels = None
    else:
        labels = _labels(path, layout)
        count = len(labels)
    if not count:
        raise UserError(f"{path} holds no images; give a file with at least one.")
    return Part(str(path), count, labels, lambda size: _chunks(path, layout))


def _layout(path: Path) -> Layout:
    first = list(islice(_lines(path, None), COMPARED_LINES))
    if not first:
        raise UserError(f"{path} is empty; give a table with an image in each row.")
    delimiter: str | None = max(",;\t", key=first[0].count)
    if not first[0].count(delimiter or ","):
        delimiter = None
    rows = [[field.strip().strip('"') for field in line.split(delimiter)] for line in first]
    names = [field.lower() for field in rows[0]]
    columns = len(names)
    texts = [name for name in names if not _is_number(name)]
    header = len(texts) > 1 or (len(texts) == 1 and texts[0] in LABELS + NUMBERS) or _counts(names)
    if not header or not texts:
        label, pixels, note = _label_of_square(path, rows[header:], delimiter)
        return Layout(delimiter, columns, header, label, pixels, _square(path, len(pixels)), note)
    label = next((column for column, name in enumerate(names) if name in LABELS), None)
    pixels = [column for column, name in enumerate(names) if column != label and name not in NUMBERS]
    if label is None and not _is_square(len(pixels)) and _is_square(len(pixels) - 1):
        label, *pixels = pixels
    order = in_order([names[column] for column in pixels])
    note = "" if order == sorted(order) else REORDERED
    pixels = [pixels[number] for number in order]
    size = _named_size(names, pixels) or _square(path, len(pixels))
    return Layout(delimiter, columns, True, label, pixels, size, note)


def in_order(names: list[str]) -> list[int]:
    """Return the order of columns of pixels with names such as pixel0 or 1x1: that of the numbers in them, if any.

    Tables may have them sorted as texts, pixel10 before pixel2.
    """
    numbers = [[int(number) for number in re.findall(r"\d{1,9}", name)] for name in names]
    words = {re.sub(r"\d+", "", name) for name in names}
    if len(words) > 1 or not all(numbers) or len({*map(tuple, numbers)}) < len(numbers):
        return [*range(len(names))]
    return sorted(range(len(names)), key=numbers.__getitem__)


def _counts(names: list[str]) -> bool:
    """Return whether the names are 0, 1, 2, ..., as pandas calls columns without names."""
    return len(names) > 1 and names == [str(number) for number in range(len(names))]


def _label_of_square(path: Path, rows: list[list[str]], delimiter: str | None) -> tuple[int | None, list[int], str]:
    """Return the columns of the label and of the pixels, and a note if the label is not in the first column."""
    if not rows:
        raise UserError(f"{path} holds no images; give a file with at least one.")
    columns = [*range(len(rows[0]))]
    if _is_square(len(columns)):
        return None, columns, ""
    if not _is_square(len(columns) - 1):
        _square(path, len(columns) - 1)
    varies = [len({row[column] for row in rows if len(row) == len(columns)}) > 1 for column in (0, -1)]
    if varies == [False, True] and not _first_column_varies(path, rows[0][0], delimiter):
        return columns[-1], columns[:-1], "the label is in the last column, as the first one never changes"
    return 0, columns[1:], ""


def _first_column_varies(path: Path, value: str, delimiter: str | None) -> bool:
    """Return whether the first column has another value anywhere, as in a file that is sorted by label."""
    fields = (line.split(delimiter, 1)[0].strip().strip('"') for line in islice(_lines(path, None), 1, None))
    return any(field != value for field in fields)


def _named_size(names: list[str], pixels: list[int]) -> Size | None:
    """Return the size that names such as 1x1, 1x2, ... 28x28 tell."""
    try:
        rows, columns = np.array([names[column].split("x") for column in pixels], int).T
    except ValueError:
        return None
    size = int(rows.max()), int(columns.max())
    return size if size[0] * size[1] == len(pixels) else None


def _is_square(count: int) -> bool:
    return count > 1 and isqrt(count) ** 2 == count


def _square(path: Path, pixels: int) -> Size:
    if not _is_square(pixels):
        raise UserError(
            f"{path} has {pixels} columns of pixels, which make no square image; give rows such as "
            "label,pixel0,...,pixel783."
        )
    return isqrt(pixels), isqrt(pixels)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _lines(path: Path, layout: Layout | None) -> Iterator[str]:
    """Yield the lines that are not empty, without the header."""
    with opened(path) as file:
        skip = layout is not None and layout.header
        first = True
        while content := file.readline(MAX_LINE):
            if len(content) == MAX_LINE:
                raise UserError(f"{path} has a line of more than {MAX_LINE >> 20} MiB; give one image per line.")
            line = content.decode("utf-8-sig" if first else "utf-8", "replace").strip("\r\n")
            first = False
            if line.strip():
                if skip:
                    skip = False
                    continue
                yield line


def _labels(path: Path, layout: Layout) -> np.ndarray:
    assert layout.label is not None
    numbers: dict[str, int] = {}
    labels = array("I")
    from_end = layout.columns - layout.label
    for number, line in enumerate(_lines(path, layout)):
        fields = line.split(layout.delimiter, layout.label + 1) if layout.label <= from_end else None
        fields = fields or line.rsplit(layout.delimiter, from_end)
        text = fields[layout.label if layout.label <= from_end else -from_end] if len(fields) > 1 else ""
        text = text.strip().strip('"').strip()
        if not text:
            raise UserError(f"Row {number + 1} of {path} has no label; complete it.")
        labels.append(numbers.setdefault(text, len(numbers)))
        if len(numbers) > 10 * MAX_CLASSES:
            raise UserError(
                f"Column {layout.label + 1} of {path} has more than {10 * MAX_CLASSES:,} different values, so it is no "
                "label; call the column of the labels 'label'."
            )
    return np.array([*numbers])[np.array(labels)] if numbers else np.array([])


def _chunks(path: Path, layout: Layout) -> Iterator[np.ndarray]:
    lines, start = _lines(path, layout), 0
    options: dict[str, Any] = {"delimiter": layout.delimiter, "usecols": layout.pixels, "quotechar": '"'}
    while chunk := [*islice(lines, CHUNK_IMAGES)]:
        try:
            pixels = np.loadtxt(chunk, np.float32, comments=None, ndmin=2, **options)
        except ValueError as error:
            raise UserError(_fault(path, layout, chunk, start)) from error
        yield pixels.reshape(len(chunk), *layout.size)
        start += len(chunk)


def _fault(path: Path, layout: Layout, lines: list[str], start: int) -> str:
    """Return a sentence about the first row that is not in order."""
    for number, line in enumerate(lines, start + 1):
        fields = [field.strip().strip('"') for field in line.split(layout.delimiter)]
        if len(fields) != layout.columns:
            return f"Row {number} of {path} has {len(fields)} columns instead of {layout.columns}; correct it."
        for column in layout.pixels:
            if not _is_number(fields[column]):
                value = ascii(fields[column][:20]) if fields[column] else "nothing"
                return f"Row {number} of {path} has {value} in column {column + 1} instead of a number; correct it."
    return f"{path} is not a table of numbers; save it as CSV again."
