"""Set a time limit for work that has none, such as compilation."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from fastdigits.bench.workload import Contender

COMPILE_LIMIT_S = 60.0
MAX_REASON = 300  # characters


def try_compiled(variant: str, make: Callable[[], Contender], say: Callable[[str], Any]) -> list[Contender]:
    """Return a list with the compiled contender, or an empty list if compiling fails or takes too long."""
    try:
        with time_limit(COMPILE_LIMIT_S):
            contender = make()
            contender.run(2)
            return [contender]
    except Exception as error:  # compilers raise errors of many kinds
        say(f"  {variant} is left out: {reason(error)}")
        return []


def reason(error: Exception) -> str:
    """Return the first line of an error's message, which compilers follow with many more, or the name of its type."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:MAX_REASON]


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in this block after the given seconds.

    It has no effect outside the main thread, and on systems without interval timers such as Windows.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"it took more than {seconds:g} s")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
