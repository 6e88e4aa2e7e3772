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
    """Write a file so that a crash, a full disk or Ctrl-C leaves the old file or the new one.

    A symbolic link stays one, and a file that is replaced keeps its permissions.

    Raises
    ------
    UserError
        If the file cannot be written there.
    """
    with _explained(path):
        target = _target(path)
        with _temporary(os.path.dirname(target)) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            file.close()  # some systems rename no open file
            if os.path.exists(target):
                shutil.copymode(target, file.name)
            os.replace(file.name, target)
        _sync_folder(os.path.dirname(target))


def check_writable(path: StrPath) -> None:
    """Check that a file can be written later, without changing a file that exists.

    Raises
    ------
    UserError
        If the folder is missing or cannot be written, or if the path is a folder or a protected file.
    """
    with _explained(path), _temporary(os.path.dirname(_target(path))):
        pass  # permission bits alone do not say whether a file can be created


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
    """The path with all links resolved. Raises UserError unless it is a new file or an ordinary writable one."""
    if not os.fspath(path):
        raise UserError("The name of an output file is empty; give it one.")
    target = os.path.realpath(path)
    if not os.path.basename(path) or os.path.isdir(target):
        raise UserError(f"{path} is a folder; give the name of a file in it.")
    if not os.path.isdir(os.path.dirname(target)):
        raise UserError(f"The folder {os.path.dirname(target)} does not exist; make it first or choose another one.")
    with suppress(FileNotFoundError):  # it is a new file
        if not stat.S_ISREG(os.stat(target).st_mode):  # renaming over a device would replace it
            raise UserError(f"{path} is not an ordinary file; choose another name.")
        os.close(os.open(target, os.O_WRONLY))
    return target


@contextmanager
def _temporary(folder: str) -> Iterator[BinaryIO]:
    """A new file with the usual permissions, removed afterwards unless it was renamed."""
    name = os.path.join(folder, f".fastdigits-{secrets.token_hex(8)}.part")
    try:
        with open(name, "xb") as file:
            yield file
    finally:
        with suppress(OSError):
            os.unlink(name)


def _sync_folder(folder: str) -> None:
    """Make a rename survive a power failure, if the system can open folders."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
