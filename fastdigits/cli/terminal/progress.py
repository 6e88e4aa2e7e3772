"""Show the progress of named steps, and announce compilation."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from fastdigits.cli.terminal import interrupt
from fastdigits.ops.interface import Ops
from fastdigits.ops.runtime import numba_setup

T = TypeVar("T")


@contextmanager
def announce_compilation(ops: Ops, say: Callable[[str], Any]) -> Iterator[None]:
    """Print one line when the first kernel is compiled in this block, and let signals stop the compilation."""
    if ops.device == "reference":  # compiles nothing
        yield
        return
    with (
        numba_setup.on_first_compilation(lambda: say("compiling kernels, once ...")),
        numba_setup.on_compilation(interrupt.check),
    ):
        yield


def run_steps(steps: Sequence[tuple[str, Callable[[], T]]]) -> Iterator[tuple[str, T]]:
    """Run named steps one by one and yield (name, result).

    Show a progress bar if stderr is a terminal, else print one line per step.
    """
    if not sys.stderr.isatty():
        for number, (name, run) in enumerate(steps, start=1):
            click.echo(f"{number}/{len(steps)} {name}", err=True)
            interrupt.check()
            yield name, run()
        return
    from rich.console import Console  # importing rich takes 0.1 s
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False)
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task("", total=len(steps))
        for name, run in steps:
            bar.update(task, description=name)
            interrupt.check()
            yield name, run()
            bar.advance(task)
