"""Count the kernels that are compiled, of those that must be, and show the count while one waits."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from fastdigits.ops.runtime import numba_setup

QUIET_S = 1.0  # compilation that is done sooner shows nothing
LINE_S, REDRAW_S = 5.0, 0.2  # between two lines on a pipe, and two states of the line on a terminal
_STARTED: "dict[Path, None]" = {}  # kernels that this process compiles or has compiled
_FINISHED: "set[Path]" = set()
_PLANNED: "dict[Path, None]" = {}  # kernels that this process and a helper must compile
_PLANS: "list[dict[Path, None]]" = []  # those that are being recorded now


def start(file: Path) -> None:
    """Note that this process compiles the kernel that a file will hold."""
    _STARTED[file] = None


def finish(file: Path) -> None:
    """Note that a kernel is compiled, whether or not its file could be written."""
    _FINISHED.add(file)


@contextmanager
def planning() -> Iterator[None]:
    """Plan instead of running: kernels that this process has not loaded are noted if they have no file, and do nothing.

    Operations must be safe to run in any order, on arrays of zeros.
    """
    _PLANS.append({})
    try:
        yield
    finally:
        _PLANNED.update(_PLANS.pop())


def is_planning() -> bool:
    """Return whether kernels are planned in this process."""
    return bool(_PLANS)


def plan(file: Path) -> None:
    """Note that a kernel must be compiled if it has no file."""
    if not file.exists():
        _PLANS[-1][file] = None


def counts() -> tuple[int, int | None]:
    """Return how many kernels are compiled, and how many must be, or None while one is compiled that is not planned."""
    known = _STARTED | _PLANNED
    done = {file for file in known if file in _FINISHED or file.exists()}
    is_known = _PLANNED and _STARTED.keys() <= _PLANNED.keys() | done
    return len(done), len(known) if is_known else None


@contextmanager
def shown(show: Callable[[str, bool], Any]) -> Iterator[None]:
    """Call `show` with a line about the compilation in this block, again and again, if it takes over QUIET_S.

    Parameters
    ----------
    show : callable
        Takes the line and whether it is the last one, which is empty.
    """
    if "numba" not in sys.modules:  # the device compiles nothing
        yield
        return
    before = counts()[0]
    first_s = last_s = None

    def tick() -> None:
        nonlocal first_s, last_s
        now = monotonic()
        first_s = first_s or now
        if now - first_s < QUIET_S or (last_s and now - last_s < REDRAW_S):
            return
        last_s = now
        done, total = counts()
        number = done - before + 1
        of = f"{min(number, total - before)} of {total - before}" if total else f"number {number}"
        show(f"compiling kernels, once: {of}", False)

    try:
        with numba_setup.on_compilation(tick):
            yield
    finally:
        if last_s:
            show("", True)


def changes_in_place() -> bool:
    """Return whether a line on stderr can be overwritten: on a terminal and in a notebook."""
    return sys.stderr is not None and (sys.stderr.isatty() or type(sys.stderr).__module__ == "ipykernel.iostream")


class Line:
    """Show one line on a terminal or in a notebook, which changes, on stderr; on a pipe a line every few seconds.

    Parameters
    ----------
    say : callable, optional
        Prints a line on a pipe; by default on stderr.
    """

    def __init__(self, say: Callable[[str], Any] | None = None):
        self._say, self._width, self._next_s = say, 0, 0.0

    def __call__(self, text: str, last: bool) -> None:
        stream = sys.stderr
        if stream is not None and changes_in_place():
            stream.write("\r" + text.ljust(self._width) + ("\r" if last else ""))
            stream.flush()
            self._width = max(self._width, len(text))
        elif not last and monotonic() >= self._next_s:
            self._next_s = monotonic() + LINE_S
            if self._say:
                self._say(text)
            elif stream is not None:
                stream.write(f"{text}\n")
                stream.flush()
