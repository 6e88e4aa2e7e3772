"""Handle Ctrl-C, SIGTERM and SIGHUP alike, so that they are not lost and do not interrupt a training step.

Python drops a KeyboardInterrupt that is raised inside a callback of the compiler. The handler therefore also records
the signal, and `check` raises KeyboardInterrupt again at the next safe place. After `defer`, only `check` raises it.
A second signal ends the process at once, whatever it does: the handlers of the system are back then.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

# Signals that a system has, and their handlers in a new process
_DEFAULTS: dict[int, Any] = {
    getattr(signal, name): default
    for name, default in {
        "SIGINT": signal.default_int_handler,
        "SIGTERM": signal.SIG_DFL,
        "SIGHUP": signal.SIG_DFL,
    }.items()
    if hasattr(signal, name)
}
SHOW_CURSOR = b"\x1b[?25h"  # that a progress bar has hidden
_received: list[int] = []
_deferred = threading.Event()


@contextmanager
def handled() -> Iterator[None]:
    """Record the signals in this block, except those that have another handler or are ignored, as under nohup."""
    _received.clear()
    handled_here = [number for number, default in _DEFAULTS.items() if signal.getsignal(number) is default]
    for number in handled_here:
        signal.signal(number, _remember)
    try:
        yield
    finally:
        for number in handled_here:
            signal.signal(number, _DEFAULTS[number])


def check() -> None:
    """Raise KeyboardInterrupt if a signal has arrived."""
    if _received:
        raise KeyboardInterrupt


def exit_code() -> int:
    """Return the exit code after the first signal, as shells report it: 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + (_received[0] if _received else signal.SIGINT)


def received() -> bool:
    """Return whether a signal has arrived."""
    return bool(_received)


def defer() -> None:
    """Delay the first signal until `check`, where a checkpoint can be saved."""
    _deferred.set()


@contextmanager
def deferrable() -> Iterator[None]:
    """Undo `defer` at the end of this block."""
    try:
        yield
    finally:
        _deferred.clear()


@contextmanager
def immediate() -> Iterator[None]:
    """Raise KeyboardInterrupt at once in this block, also after `defer`."""
    deferred = _deferred.is_set()
    _deferred.clear()
    try:
        check()
        yield
    finally:
        if deferred:
            _deferred.set()


def _remember(number: int, _frame: FrameType | None) -> None:
    _received.append(number)
    for handled_number in _DEFAULTS:
        if signal.getsignal(handled_number) is _remember:
            signal.signal(handled_number, signal.SIG_DFL)
    with suppress(OSError):
        if os.isatty(2):
            os.write(2, SHOW_CURSOR)  # the second signal leaves no time for it
    if not _deferred.is_set():
        raise KeyboardInterrupt
