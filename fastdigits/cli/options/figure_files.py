"""Output files, and figures whose file type follows from the extension."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import click

from fastdigits.files import StrPath, check_writable
from fastdigits.plots.style import FILE_TYPES


class FigureFile(click.Path):
    """A path that ends with .png, .svg, .pdf or one of the extensions in `others`."""

    def __init__(self, *others: str):
        super().__init__()
        self.types = (*FILE_TYPES, *others)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        path = str(super().convert(value, param, ctx))
        if file_type(path) not in self.types:
            *most, last = (f".{name}" for name in self.types)
            self.fail(f"'{path}' does not end with {', '.join(most)} or {last}.", param, ctx)
        return path


outputs_option = click.option(
    "-o",
    "--output",
    "outputs",
    type=FigureFile("md", "csv"),
    multiple=True,
    metavar="FILE",
    help="Write a table (.md, .csv) or a figure (.png, .svg, .pdf). May be repeated.",
)


def file_type(path: str) -> str:
    """Return the extension in lower case without the dot, such as "png"."""
    return os.path.splitext(path)[1].removeprefix(".").lower()


def check_files(files: Mapping[str, StrPath | Sequence[StrPath] | None]) -> None:
    """Check that all output files can be written and that no two options name the same file.

    Call this before any slow work.

    Parameters
    ----------
    files : dict
        The path or paths of each option; None if the option is not given.

    Raises
    ------
    UsageError
        If two options name the same file.
    UserError
        If a file cannot be written.
    """
    owners: dict[str, str] = {}
    for option, paths in files.items():
        for path in [paths] if isinstance(paths, (str, os.PathLike)) else paths or ():
            owner = owners.setdefault(os.path.realpath(path), option)
            if owner != option:
                raise click.UsageError(f"{owner} and {option} name the same file; give each its own.")
            check_writable(path)
