"""Count the kernels that are compiled, of those that must be, and show the count while one waits."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from types import ModuleType
from typing import Any

QUIET_S = 1.0  # compilation that is done sooner shows nothing
LINE_S, REDRAW_S = 5.0, 0.2  # between two lines on a pipe, and two states of the line on a terminal
_STARTED: "dict[Path, None]" = {}  # kernels that this process compiles or has compiled
_FINISHED: "set[Path]" = set()
_PLANNED: "dict[Path, None]" = {}  # kernels that this process and a helper must compile


class _Local(threading.local):
    """The plans of one Python thread; the kernels of other threads run meanwhile.

    Attributes
    ----------
    plan : dict, optional
        Kernels that are being planned now.
    make_plan : function, optional
        Plans the kernels of the block that runs now, until it has been called.
    block : dict, optional
        Kernels that have been planned in this block.
    """

    def __init__(self) -> None:
        self.plan: dict[Path, None] | None = None
        self.make_plan: Callable[[], Any] | None = None
        self.block: dict[Path, None] | None = None


_LOCAL = _Local()


def start(file: Path) -> None:
    """Note that this process compiles the kernel that a file will hold, and plan those that it will compile next."""
    _STARTED[file] = None
    make_plan, _LOCAL.make_plan = _LOCAL.make_plan, None
    if make_plan:
        make_plan()


def finish(file: Path) -> None:
    """Note that a kernel is compiled, whether or not its file could be written."""
    _FINISHED.add(file)


class Planned:
    """A block whose kernels are planned when the first of them must be compiled, unless a block around it does it.

    Parameters
    ----------
    make_plan : function
        Calls the kernels in `planning`.
    """

    def __init__(self, make_plan: Callable[[], Any]):
        self._make_plan = make_plan
        self._planned: dict[Path, None] = {}
        self._is_outermost = False

    def __enter__(self) -> None:
        if _LOCAL.block is None:
            self._is_outermost = True
            _LOCAL.block, _LOCAL.make_plan = self._planned, self._make_plan

    def __exit__(self, *error: object) -> None:
        if self._is_outermost:
            _LOCAL.block = _LOCAL.make_plan = None
            for file in self._planned:
                if not _is_done(file):  # the block has ended early, or had no use for it
                    _PLANNED.pop(file, None)


@contextmanager
def planning() -> Iterator[None]:
    """Plan instead of running: kernels that this process has not loaded are noted if they have no file, and do nothing.

    Operations must be safe to run in any order, on arrays of zeros. After an error, nothing is noted.
    """
    outer, plan = _LOCAL.plan, dict[Path, None]()
    _LOCAL.plan = plan
    try:
        yield
    finally:
        _LOCAL.plan = outer
    _PLANNED.update(plan)
    if _LOCAL.block is not None:
        _LOCAL.block.update(plan)


def is_planning() -> bool:
    """Return whether this Python thread plans kernels."""
    return _LOCAL.plan is not None


def plan(file: Path) -> None:
    """Note that a kernel must be compiled if it has no file."""
    if not file.exists():
        assert _LOCAL.plan is not None, "call this in `planning`"
        _LOCAL.plan[file] = None


def counts() -> tuple[int, int | None]:
    """Return how many kernels are compiled, and how many must be, or None while one is compiled that is not planned."""
    known = _STARTED | _PLANNED
    done = set(filter(_is_done, known))
    is_known = _PLANNED and _STARTED.keys() <= _PLANNED.keys() | done
    return len(done), len(known) if is_known else None


def _is_done(file: Path) -> bool:
    return file in _FINISHED or file.exists()


@contextmanager
def on_first_compilation(announce: Callable[[], None]) -> Iterator[None]:
    """Call `announce` once, when the first kernel in the block is compiled rather than loaded from the cache."""
    announced = False

    def start() -> None:
        nonlocal announced
        if not announced:
            announced = True
            announce()

    with on_compilation(start):
        yield


@contextmanager
def on_compilation(start: Callable[[], None]) -> Iterator[None]:
    """Call `start` before each compilation in the block, including the compilation of called functions."""
    with ExitStack() as listeners:
        for events, name in _compilation_events():
            members = {"on_start": lambda self, event: start(), "on_end": lambda self, event: None}
            listener = type("Listener", (events.Listener,), members)()
            listeners.enter_context(events.install_listener(name, listener))
        yield


def _compilation_events() -> Iterator[tuple[ModuleType, str]]:
    """Yield the event modules, each with the name of its event for compilations."""
    from numba.core import event

    yield event, "numba:compile"
    if "numba.cuda.core.event" in sys.modules:  # that of numba-cuda, which has events for compiler passes only
        yield sys.modules["numba.cuda.core.event"], "numba-cuda:run_pass"


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
        with on_compilation(tick):
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
