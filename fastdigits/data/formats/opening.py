"""Open files that may be compressed, and convert the errors of damaged ones."""

import bz2
import gzip
import lzma
import os
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from fastdigits.data.dataset import some
from fastdigits.errors import UserError
from fastdigits.files import StrPath

OPENERS: dict[bytes, tuple[str, Callable[..., Any]]] = {
    b"\x1f\x8b": ("gzip", gzip.open),
    b"BZh": ("bzip2", bz2.open),
    b"\xfd7zXZ\0": ("xz", lzma.open),
}
T = TypeVar("T")
HEAD_BYTES = 4096
MAX_PACKED_RATIO = 100  # of the sizes of content and file; images that people draw are packed to a thirtieth at most
MODEST_BYTES = 256 << 20  # may be packed to any size


@contextmanager
def opened(path: StrPath) -> Iterator[BinaryIO]:
    """Open a file, decompress it if its content is compressed, and turn errors within the block into UserError."""
    kind = ""
    try:
        with open(path, "rb") as file:
            start = file.read(max(map(len, OPENERS)))
        opener: Callable[..., Any] = open
        for magic, (name, function) in OPENERS.items():
            if start.startswith(magic):
                kind, opener = name, function
        with opener(path, "rb") as file:
            yield file
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise UserError(f"{path} is damaged {kind} ({error}); copy or download it again.") from error
    except OSError as error:
        if kind and error.errno is None:
            raise UserError(f"{path} is damaged {kind} ({error}); copy or download it again.") from error
        raise UserError(f"{path} cannot be read ({error.strerror or error}); check the path.") from error


def head(path: StrPath) -> bytes:
    """Return the first bytes of the content of a file, decompressed."""
    with opened(path) as file:
        return file.read(HEAD_BYTES)


def check_expansion(path: StrPath, content: int) -> None:
    """Raise UserError if a file of this size cannot honestly unpack to `content` bytes."""
    if content > MODEST_BYTES and content > MAX_PACKED_RATIO * os.path.getsize(path):
        raise UserError(
            f"{path} claims to hold {content:,} bytes, more than {MAX_PACKED_RATIO} times its own size, which images "
            "do not; take an intact copy, or unpack it first."
        )


def files_in(folder: Path, *suffixes: str) -> list[Path]:
    """Return the visible files of a folder with one of these suffixes, also compressed ones, sorted by name."""
    endings = tuple(f"{suffix}{packed}" for suffix in suffixes for packed in ("", ".gz", ".bz2", ".xz"))
    return sorted(
        path
        for path in folder.iterdir()
        if path.name.lower().endswith(endings) and not path.name.startswith(".") and path.is_file()
    )


def split_by_part(folder: Path, paths: list[Path]) -> tuple[dict[str, list[Path]], tuple[str, ...]]:
    """Sort files by the part that their names tell, and return notes about what is left out.

    A single file without a part is "train".

    Raises
    ------
    UserError
        If there are several files and none is of the training or test part.
    """
    if len(paths) == 1 and part_of(paths[0].name) is None:
        return {"train": paths}, ()
    found: dict[str, list[Path]] = {}
    for path in paths:
        found.setdefault(part_of(path.name) or "", []).append(path)
    others = found.pop("", [])
    parts, notes = train_and_test(found)
    if not parts:
        raise UserError(
            f"{folder} holds {paths[0].name} and {len(paths) - 1} more such files; give one of them, or call one "
            "train and another one test."
        )
    return parts, (*notes, *left_out([path.name for path in others]))


def part_of(name: str) -> str | None:
    """Return the part that the name of a file, folder or array tells: "train", "test", "validation" or None."""
    name = name.lower()
    if "train" in name:
        return "train"
    if "test" in name or "t10k" in name:
        return "test"
    return "validation" if re.search("val(?!ue)", name) else None


def train_and_test(parts: Mapping[str, T]) -> tuple[dict[str, T], tuple[str, ...]]:
    """Return the training and the test part, and a note about the validation part, which may stand for the latter."""
    found = {part: parts[part] for part in ("train", "test") if part in parts}
    if "validation" not in parts:
        return found, ()
    if "test" in found:
        return found, ("the validation part is left out",)
    return found | {"test": parts["validation"]}, ("the validation part is the test part",)


def left_out(names: Sequence[str]) -> tuple[str, ...]:
    """Return a note about files, folders or arrays that are not read, if there are any."""
    if not names:
        return ()
    return (f"{some(map(ascii, names), 3)} {'are' if len(names) > 1 else 'is'} left out",)
