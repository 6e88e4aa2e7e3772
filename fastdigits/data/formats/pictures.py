"""Read a folder with a folder of pictures for each class, with or without train/ and test/."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from fastdigits.data.conversion import fitted, to_gray
from fastdigits.data.dataset import Size, printable
from fastdigits.data.formats.opening import left_out, train_and_test
from fastdigits.data.formats.types import CHUNK_IMAGES, Contents, Part
from fastdigits.errors import UserError, setting
from fastdigits.imaging import read_picture
from fastdigits.imaging.picture import FORMATS

PARTS = {
    **{"train": "train", "training": "train", "test": "test", "testing": "test"},
    **{"val": "validation", "valid": "validation", "validation": "validation"},
}
NO_PICTURES = ("thumbs.db", "desktop.ini")
OTHER_FORMATS = ("PPM", "PCX", "TGA", "SGI", "ICO", "DDS", "XBM", "JPEG2000", "AVIF")
MAX_PIXELS = 1 << 20  # of a picture in these formats
MAX_FILES = 10_000_000


def open_folder(folder: Path) -> Contents | None:
    """Find the pictures of each part and class; return None if there are none.

    Raises
    ------
    UserError
        If a class holds folders instead of pictures.
    """
    suffixes = {suffix for suffix, name in Image.registered_extensions().items() if name in (*FORMATS, *OTHER_FORMATS)}
    inner = _folders(folder)
    if not inner and any(path.suffix.lower() in suffixes for path in folder.iterdir()):
        raise UserError(
            f"{folder} holds pictures, but no folder for each class; put each picture into a folder that is called as "
            "its class."
        )
    parts: dict[str, Path] = {"train": folder}
    notes: tuple[str, ...] = ()
    if {PARTS.get(path.name.lower()) for path in inner} & {"train", "test"}:
        parts, notes = train_and_test({PARTS[path.name.lower()]: path for path in inner if path.name.lower() in PARTS})
        notes += left_out([f"{path.name}/" for path in inner if path.name.lower() not in PARTS])
    found = {part: _find(path, suffixes) for part, path in parts.items()}
    found = {part: files for part, files in found.items() if files[0]}
    if not found:
        return None
    others = sum(count for _, count in found.values())
    if others:
        notes += (f"{others:,} other file{'s are' if others > 1 else ' is'} left out",)
    return Contents(
        {part: _part(parts[part], files) for part, (files, _) in found.items()},
        are_gray_levels=True,
        notes=notes,
    )


def _find(folder: Path, suffixes: set[str]) -> tuple[list[tuple[str, Path]], int]:
    """Return (class, file) for each picture in the folders of the classes, and the number of other files."""
    files: list[tuple[str, Path]] = []
    others = 0
    for inner in _folders(folder):
        deeper = False
        before = len(files)
        for path in sorted(inner.iterdir()):
            if path.name.startswith(".") or path.name.lower() in NO_PICTURES:
                continue
            if path.is_dir():
                deeper = True
            elif path.suffix.lower() in suffixes:
                files.append((inner.name, path))
            else:
                others += 1
            if len(files) > MAX_FILES:
                raise UserError(f"{folder} holds more than {MAX_FILES:,} pictures; pack a part of it.")
        if deeper and len(files) > before:
            raise UserError(f"{inner} holds both pictures and folders; put the pictures of a class into one folder.")
    return files, others


def _folders(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".") and path.name[:2] != "__"
    )


def _part(folder: Path, files: list[tuple[str, Path]]) -> Part:
    labels = np.array([name for name, _ in files])
    return Part(str(folder), len(files), labels, lambda size: _chunks([path for _, path in files], size))


def _chunks(paths: list[Path], size: Size | None) -> Iterator[np.ndarray]:
    first: tuple[Path, tuple[int, ...]] | None = None
    for start in range(0, len(paths), CHUNK_IMAGES):
        images = []
        for path in paths[start : start + CHUNK_IMAGES]:
            image = to_gray(_read(path))
            if size is not None:
                image = fitted(image, size)
            first = first or (path, image.shape)
            check_same_size(str(first[0]), first[1], str(path), image.shape)
            images.append(image)
        yield np.stack(images)


def _read(path: Path) -> np.ndarray:
    """Read a picture uint8 (H, W, 3); formats that `read_picture` does not know, only up to MAX_PIXELS."""
    Image.init()
    formats = [name for name in OTHER_FORMATS if name in Image.OPEN]
    if Image.registered_extensions()[path.suffix.lower()] not in formats:
        return read_picture(path)
    try:
        with Image.open(path, formats=formats) as image:
            if image.width * image.height <= MAX_PIXELS:
                return np.asarray(image.convert("RGB"))
    except Exception as error:  # of a damaged file Pillow raises almost any
        raise UserError(f"{printable(str(path))}: the picture is damaged; use another copy of the file.") from error
    raise UserError(f"{printable(str(path))} has more than {MAX_PIXELS:,} pixels; make it smaller.")


def check_same_size(first: str, expected: tuple[int, ...], name: str, size: tuple[int, ...]) -> None:
    """Raise UserError if two pictures have different sizes."""
    if size != expected:
        raise UserError(
            f"{printable(name)} has {size[0]} x {size[1]} pixels, but {printable(first)} has {expected[0]} x "
            f"{expected[1]}; resize all of them with {setting('size', 28)}."
        )
