"""Write files atomically.

A file is written under a temporary name, .fastdigits-MACHINE-NUMBER.part, and then renamed. The process that writes it
holds a lock on it, which ends with the process, so that the next writer can tell and remove what killed ones have left.
"""

import hashlib
import os
import platform
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import BinaryIO

from fastdigits.errors import UserError

if sys.platform != "win32":
    import fcntl

PREFIX, SUFFIX = ".fastdigits-", ".part"
ABANDONED_S = 86400.0  # no write takes so long
StrPath = str | os.PathLike[str]


def write_atomically(path: StrPath, content: bytes) -> None:
    """Write a file so that a crash, a full disk or Ctrl-C leaves either the old file or the new one.

    Symbolic links are followed, and a file that is replaced keeps its permissions.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    with replaced(path) as file:
        file.write(content)


@contextmanager
def replaced(path: StrPath) -> Iterator[BinaryIO]:
    """Yield a temporary file to write; after the block it replaces a file as `write_atomically` does.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    with _explained(path):
        target = _target(path)
        folder = os.path.dirname(target)
        _remove_abandoned(folder)
        with _temporary(folder) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if sys.platform == "win32":  # cannot rename an open file; elsewhere closing would end the lock
                file.close()
            if os.path.exists(target):
                shutil.copymode(target, file.name)
            os.replace(file.name, target)
        _sync_folder(folder)


def append(path: StrPath, content: bytes) -> None:
    """Append to an existing file, everything or nothing, unless the process is killed.

    Raises
    ------
    UserError
        If the file does not exist or cannot be written.
    """
    with _explained(path), open(path, "r+b", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        left = memoryview(content)
        try:
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        except BaseException:
            file.truncate(end)
            raise


def check_writable(path: StrPath) -> None:
    """Check that a file can be written later, without changing it if it exists.

    Raises
    ------
    UserError
        If the folder is missing or not writable, or if the path is a folder or a file that is not writable.
    """
    with _explained(path), _temporary(os.path.dirname(_target(path))):
        pass  # creates a temporary file, because permission bits do not tell whether that is possible


def check_name(path: StrPath) -> None:
    """Raise UserError if the name of a file stands for standard output."""
    if os.fspath(path) == "-":
        raise UserError("No file is written to standard output; give the name of a file.")


def make_folder(path: StrPath) -> None:
    """Create a folder, unless it exists, and those above it.

    Raises
    ------
    UserError
        If it cannot be created, or its name stands for standard output.
    """
    if os.fspath(path) == "-":
        raise UserError("Nothing is written to standard output; give the name of a folder.")
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise UserError(f"Cannot create the folder {path} ({error.strerror or error}); choose another one.") from error


def claim(path: StrPath) -> int | None:
    """Lock a file for this process and those forked from it, and return the open descriptor that holds the lock.

    The lock ends with `os.close`, or with the processes. Return None where the file system has no such locks.

    Raises
    ------
    UserError
        If another process has locked the file, or it cannot be opened.
    """
    if sys.platform == "win32":
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}); check the path.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UserError(f"{path} is in use by another process; stop that one or give another file.") from None
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def changing(path: StrPath) -> Iterator[None]:
    """Wait until no other process and thread is in such a block for a file, which is read and then replaced in it.

    The folder is locked, because a lock on the file would end with its replacement. Nothing is locked on Windows, and
    where the file system has no such locks.
    """
    descriptor = _lock_folder(os.path.dirname(os.path.realpath(path)))
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _lock_folder(folder: str) -> int | None:
    if sys.platform == "win32":
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # reading or writing the file will tell what is wrong
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


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
    check_name(path)
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
    """Create a locked file with the usual permissions, and remove it after the block unless it was renamed."""
    while True:
        name = os.path.join(folder, f"{PREFIX}{_machine()}-{secrets.token_hex(8)}{SUFFIX}")
        try:
            with open(name, "xb") as file:
                if _is_locked_for_writing(file.fileno()):
                    yield file
                    return
        finally:
            with suppress(OSError):
                os.unlink(name)


def _is_locked_for_writing(descriptor: int) -> bool:
    """Lock a new file; return False if another process has just taken it for abandoned."""
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks, where nobody can lock and so remove the file
            return True
    return os.fstat(descriptor).st_nlink > 0


def _remove_abandoned(folder: str) -> None:
    """Remove the temporary files that killed processes have left in a folder."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and entry.name.endswith(SUFFIX):
                with suppress(OSError):  # such as a lock that another process holds
                    _remove_if_abandoned(entry)


def _remove_if_abandoned(entry: "os.DirEntry[str]") -> None:
    """Remove a temporary file that no process has locked, or raise OSError.

    A file is also left alone if it is less than ABANDONED_S old and was written by another machine, whose locks may be
    invisible here, or on Windows, which has none of these locks.
    """
    status = entry.stat(follow_symlinks=False)
    old = time.time() - status.st_mtime > ABANDONED_S
    of_this_machine = entry.name.startswith(f"{PREFIX}{_machine()}-")
    if not stat.S_ISREG(status.st_mode):
        return
    if sys.platform == "win32":
        if old:
            os.unlink(entry.path)  # raises OSError if the file is open
    elif old or of_this_machine:
        descriptor = os.open(entry.path, os.O_RDWR | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(entry.path)
        finally:
            os.close(descriptor)


@cache
def _machine() -> str:
    """Return eight characters that processes have in common if they see each other's locks."""
    try:
        with open(
            "/proc/sys/kernel/random/boot_id", "rb"
        ) as file:  # of Linux; containers share it, as they share locks
            identity = file.read()
    except OSError:
        identity = platform.node().encode(errors="surrogateescape")
    return hashlib.sha256(identity).hexdigest()[:8]


def _sync_folder(folder: str) -> None:
    """Make a rename survive a power failure, on systems that can open folders."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
