"""Write files atomically."""

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from fastdigits.errors import UserError

StrPath = str | os.PathLike[str]


def write_atomically(path: StrPath, content: bytes) -> None:
    """Write a file so that a crash, a full disk or Ctrl-C leaves either the old file or the new one.

    Symbolic links are followed, and a file that is replaced keeps its permissions.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    with _explained(path):
        target = _target(path)
        with _temporary(os.path.dirname(target)) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            file.close()  # some systems cannot rename an open file
            if os.path.exists(target):
                shutil.copymode(target, file.name)
            os.replace(file.name, target)
        _sync_folder(os.path.dirname(target))


def check_writable(path: StrPath) -> None:
    """Check that a file can be written later, without changing it if it exists.

    Raises
    ------
    UserError
        If the folder is missing or not writable, or if the path is a folder or a file that is not writable.
    """
    with _explained(path), _temporary(os.path.dirname(_target(path))):
        pass  # creates a temporary file, because permission bits do not tell whether that is possible


@contextmanager
def _explained(path: StrPath) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"Cannot write {path} ({error.strerror or error}); free space or give permission there, "
            "or choose another folder."
        ) from error


def _target(path: StrPath) -> str:
    """Return the path with all links resolved; raise UserError unless it is a new file or a regular, writable one."""
    if not os.fspath(path):
        raise UserError("The name of an output file is empty; give it one.")
    target = os.path.realpath(path)
    if not os.path.basename(path) or os.path.isdir(target):
        raise UserError(f"{path} is a folder; give the name of a file in it.")
    if not os.path.isdir(os.path.dirname(target)):
        raise UserError(f"The folder {os.path.dirname(target)} does not exist; create it or choose another one.")
    with suppress(FileNotFoundError):  # a new file
        if not stat.S_ISREG(os.stat(target).st_mode):  # renaming over a device would replace it
            raise UserError(f"{path} is not a regular file; choose another name.")
        os.close(os.open(target, os.O_WRONLY))
    return target


@contextmanager
def _temporary(folder: str) -> Iterator[BinaryIO]:
    """Create a file with the usual permissions, and remove it after the block unless it was renamed."""
    name = os.path.join(folder, f".fastdigits-{secrets.token_hex(8)}.part")
    try:
        with open(name, "xb") as file:
            yield file
    finally:
        with suppress(OSError):
            os.unlink(name)


def _sync_folder(folder: str) -> None:
    """Make a rename survive a power failure, on systems that can open folders."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
