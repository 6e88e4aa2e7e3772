"""Write a file to another folder if its own folder cannot be written, so that a result is not lost."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

from fastdigits.errors import UserError
from fastdigits.files import StrPath
from fastdigits.ops.runtime import kernel_cache


def write_elsewhere(path: StrPath, write: Callable[[Path], object]) -> Path | None:
    """Write a file to the first folder that takes it, under the name that it has in `path` or a similar free one.

    The folders are `rescued` in the user's cache folder, the home folder and the folder for temporary files.

    Parameters
    ----------
    path : path
        File that could not be written.
    write : function
        Writes the file to a path; raises UserError or OSError if that fails.

    Returns
    -------
    path, or None if no folder takes the file
    """
    for folder in _folders():
        with suppress(UserError, OSError):
            folder.mkdir(parents=True, exist_ok=True)
            free = next(name for name in _names(folder / Path(path).name) if not name.exists())
            write(free)
            return free
    return None


def _folders() -> Iterator[Path]:
    with suppress(RuntimeError):  # the user has no home
        yield kernel_cache.user_folder() / "rescued"
    with suppress(RuntimeError):
        yield Path.home()
    with suppress(OSError):  # no folder for temporary files is writable
        yield Path(tempfile.gettempdir())


def _names(path: Path) -> Iterator[Path]:
    """Yield NAME.h5, NAME-2.h5, NAME-3.h5, ..."""
    yield path
    for number in count(2):
        yield path.with_stem(f"{path.stem}-{number}")
