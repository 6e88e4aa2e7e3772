"""Show the progress of named steps, and announce compilation."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import click

from fastdigits.cli.terminal import interrupt
from fastdigits.ops.interface import Ops
from fastdigits.ops.runtime import compilation

T = TypeVar("T")
QUIET_S = 1.0  # work that is done sooner shows no progress
LINE_S = 5.0  # between two lines of progress on a pipe


@contextmanager
def announce_compilation(
    ops: Ops, say: Callable[[str], Any], show: Callable[[str, bool], Any] | None = None
) -> Iterator[None]:
    """Show which kernel is being compiled in this block, if it takes long, and let signals stop the compilation.

    Parameters
    ----------
    ops : Ops
    say : callable
        Prints a line on a pipe.
    show : callable, optional
        Shows the line on a terminal; by default it is the last line, and changes.
    """
    if ops.device == "reference":  # compiles nothing
        yield
        return
    with compilation.shown(show or compilation.Line(say)), compilation.on_compilation(interrupt.check):
        yield


def run_steps(steps: Sequence[tuple[str, Callable[[], T]]]) -> Iterator[tuple[str, T]]:
    """Run named steps one by one and yield (name, result).

    Show a progress bar if stderr is a terminal, else print one line per step. Show also which kernel is being compiled.
    """
    if not sys.stderr.isatty():
        show = compilation.Line(lambda line: click.echo(line, err=True))
        for number, (name, run) in enumerate(steps, start=1):
            click.echo(f"{number}/{len(steps)} {name}", err=True)
            interrupt.check()
            with compilation.shown(show):
                result = run()
            yield name, result
        return
    from rich.console import Console  # importing rich takes 0.1 s
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False)
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task("", total=len(steps))
        for name, run in steps:
            bar.update(task, description=name)
            interrupt.check()
            with compilation.shown(partial(_describe, bar, task, name)):
                result = run()
            yield name, result
            bar.advance(task)


def _describe(bar: Any, task: Any, name: str, line: str, _last: bool) -> None:
    """Show a line about compilation next to the name of a step."""
    bar.update(task, description=f"{name}   {line}")


class CountProgress:
    """Show how many of how many things are done, once that takes over a second, until the context ends.

    Show a progress bar if stderr is a terminal, else print a line every few seconds.

    Parameters
    ----------
    what : str
        The things, such as "digits".
    """

    def __init__(self, what: str):
        self._what = what
        self._bar: Any = None
        self._next_s = time.monotonic() + QUIET_S

    def __enter__(self) -> "CountProgress":
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        interrupt.check()
        if time.monotonic() < self._next_s:
            return
        if not sys.stderr.isatty():
            click.echo(f"{done:,} of {total:,} {self._what}", err=True)
            self._next_s = time.monotonic() + LINE_S
            return
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            columns = BarColumn(), MofNCompleteColumn(), TextColumn(self._what)
            self._bar = Progress(*columns, console=Console(file=sys.stderr), transient=True)
            self._bar.add_task("", total=total)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=done)
