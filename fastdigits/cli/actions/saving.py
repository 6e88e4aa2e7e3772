"""Write a result so that it is not lost if its file cannot be written, for example because the disk is full."""

import sys
from collections.abc import Callable

import click

from fastdigits.cli.terminal import interrupt
from fastdigits.errors import UserError
from fastdigits.files import StrPath
from fastdigits.storage.rescue import write_elsewhere


def save(path: str, write: Callable[[StrPath], object], ask: bool) -> tuple[str | None, str]:
    """Write a file; if that fails, ask for another try or another path, or write it to another folder.

    Parameters
    ----------
    path : str
    write : function
        Writes the file to a path; raises UserError if that fails.
    ask : bool
        Whether to ask. Nobody can answer unless stdin and stderr are a terminal.

    Returns
    -------
    path : str or None
        The path that has been written; None if no folder takes the file.
    problem : str
        A sentence if the file is not where the user wants it, else "".
    """
    asking = ask and sys.stdin.isatty() and sys.stderr.isatty()
    while True:
        try:
            write(path)
        except UserError as error:
            reason = str(error)
        else:
            return path, ""
        answer = _answer(reason) if asking else None
        if answer is None:
            break
        path = answer or path
    rescued = write_elsewhere(path, write)
    if rescued is None:
        return None, reason
    return str(rescued), f"{reason} The file is {click.format_filename(rescued)} instead."


def _answer(reason: str) -> str | None:
    """Return the path that the user types, "" for another try, or None at the end of input, Ctrl-C or a signal."""
    click.echo(reason, err=True)
    text = "The result is still in memory. Free space and press Enter to try again, or type another path"
    try:
        with interrupt.immediate():
            return str(click.prompt(text, default="", show_default=False, err=True)).strip()
    except (click.Abort, KeyboardInterrupt, OSError):
        click.echo(err=True)
        return None
