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
        path = super().convert(value, param, ctx)
        if file_type(path) not in self.types:
            *most, last = (f".{name}" for name in self.types)
            self.fail(f"'{path}' does not end with {', '.join(most)} or {last}.", param, ctx)
        return path


def file_type(path: str) -> str:
    """The extension, such as png."""
    return os.path.splitext(path)[1].removeprefix(".").lower()


def write(path: str, figure: "Figure") -> None:
    """Write a figure as its file's extension says; UserError where that fails."""
    from fastdigits.files import write_atomically
    from fastdigits.plots.style import content

    write_atomically(path, content(figure, file_type(path)))
