"""Files that commands draw into; the extension says of which type they are."""

import os
from typing import TYPE_CHECKING, Any

import click

from fastdigits.plots.style import FILE_TYPES

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class PictureFile(click.Path):
    """A file that ends with .png, .svg, .pdf or another extension, such as "csv", that a command can write."""

    def __init__(self, *others: str):
        super().__init__()
        self.types = (*FILE_TYPES, *others)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        path = str(super().convert(value, param, ctx))
        if file_type(path) not in self.types:
            *most, last = (f".{name}" for name in self.types)
            self.fail(f"'{path}' does not end with {', '.join(most)} or {last}.", param, ctx)
        return path


def file_type(path: str) -> str:
    """The extension, such as png."""
    return os.path.splitext(path)[1].removeprefix(".").lower()


def check_files(files: dict[str, str | None]) -> None:
    """Find out before any work is done whether all files, by their options, can be written, each by itself.

    Raises
    ------
    UsageError
        If two of them are the same file.
    UserError
        If one cannot be written.
    """
    from fastdigits.files import check_writable

    seen: dict[str, str] = {}
    for option, path in files.items():
        if path is None:
            continue
        other = seen.setdefault(os.path.realpath(path), option)
        if other != option:
            raise click.UsageError(f"{other} and {option} name the same file; give each its own.")
        check_writable(path)


def write(path: str, figure: "Figure") -> None:
    """Write a figure as its file's extension says; UserError where that fails."""
    from fastdigits.files import write_atomically
    from fastdigits.plots.style import content

    write_atomically(path, content(figure, file_type(path)))
