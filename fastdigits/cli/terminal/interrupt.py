"""Ctrl-C that is not lost.

Python drops the KeyboardInterrupt that is raised inside a callback of the compiler. So the handler
also remembers it, and `check` raises it again at the next safe place. After `hold` it is raised only there.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_seen = threading.Event()
_patient = threading.Event()


def listen() -> None:
    """Remember every Ctrl-C from now on, unless the process was told to ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _remember)


def check() -> None:
    """Raise the KeyboardInterrupt that somebody may have dropped."""
    if _seen.is_set():
        raise KeyboardInterrupt


def hold() -> None:
    """From now on the first Ctrl-C waits for `check`, where a checkpoint can be written; the second does not."""
    _patient.set()


@contextmanager
def released() -> Iterator[None]:
    """Afterwards no Ctrl-C waits any more."""
    try:
        yield
    finally:
        _patient.clear()


def _remember(_number: int, _frame: FrameType | None) -> None:
    waits = _patient.is_set() and not _seen.is_set()
    _seen.set()
    if not waits:
        raise KeyboardInterrupt
