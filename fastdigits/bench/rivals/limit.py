"""A time limit for work that knows none, such as that of a compiler."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from fastdigits.bench.workload import Contender

COMPILE_LIMIT_S = 60.0


def try_compiled(way: str, make: Callable[[], Contender], say: Callable[[str], Any]) -> list[Contender]:
    """The compiled contender, ready to run; none where compiling fails or takes too long."""
    try:
        with time_limit(COMPILE_LIMIT_S):
            contender = make()
            contender.run(2)
            return [contender]
    except Exception as error:  # whatever a compiler may raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        say(f"  {way} is left out: {reason[:150]}")
        return []


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """TimeoutError in this block after so many seconds; without effect where the system has no such alarm."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"it took more than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
