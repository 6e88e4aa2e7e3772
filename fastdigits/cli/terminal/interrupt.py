"""Handle Ctrl-C so that it is not lost and does not interrupt a training step.

Python drops a KeyboardInterrupt that is raised inside a callback of the compiler. The handler therefore also records
it, and `check` raises it again at the next safe place. After `defer`, only `check` raises the first Ctrl-C.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_received = threading.Event()
_deferred = threading.Event()


@contextmanager
def handled() -> Iterator[None]:
    """Record every Ctrl-C in this block, unless the process has another handler or ignores the signal."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _received.clear()


def check() -> None:
    """Raise KeyboardInterrupt if Ctrl-C was pressed."""
    if _received.is_set():
        raise KeyboardInterrupt


def defer() -> None:
    """Delay the first Ctrl-C until `check`, where a checkpoint can be saved. The second is raised at once."""
    _deferred.set()


@contextmanager
def deferrable() -> Iterator[None]:
    """Undo `defer` at the end of this block."""
    try:
        yield
    finally:
        _deferred.clear()


def _remember(_number: int, _frame: FrameType | None) -> None:
    hold_back = _deferred.is_set() and not _received.is_set()
    _received.set()
    if not hold_back:
        raise KeyboardInterrupt
