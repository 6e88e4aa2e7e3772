"""Ctrl-C that is not lost.

Python drops the KeyboardInterrupt that is raised inside a callback of the compiler. So the handler
also remembers it, and `check` raises it again at the next safe place.
"""

import signal
import threading
from types import FrameType

_seen = threading.Event()


def listen() -> None:
    """Remember every Ctrl-C from now on, unless the process was told to ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _remember)


def check() -> None:
    """Raise the KeyboardInterrupt that somebody may have dropped."""
    if _seen.is_set():
        raise KeyboardInterrupt


def _remember(_number: int, _frame: FrameType | None) -> None:
    _seen.set()
    raise KeyboardInterrupt
