"""Choose between all threads and one, as other programs may take the cores away.

A thread that loses its core within a parallel loop keeps all others waiting for milliseconds, so next to a busy
program two threads can be slower than one. As the bits are the same on any number of threads, it may change.
"""

from collections.abc import Callable
from functools import wraps
from math import inf
from time import perf_counter

TRIAL, BLOCK, MAX_HOLD, RECHECK = 4, 32, 512, 1024  # calls
TRIAL_S = 0.0015  # a shorter trial would depend too much on when the other threads wake up
WORTHWHILE = 0.9  # share of the time on one thread that all threads may take


class ThreadChoice:
    """Whether a function that does the same work in every call shall use one thread, given the durations of its calls.

    The function is timed on one thread for TRIAL calls, or more of them if they take less than TRIAL_S, then as long on
    all threads, and for blocks of BLOCK calls: the others decide if one call waits for a lost core. Once that was not
    WORTHWHILE, it runs on one thread, for BLOCK calls at first and twice as many each further time, up to MAX_HOLD.
    After RECHECK calls, all starts again.
    """

    def __init__(self) -> None:
        self.one_thread = True
        self._seconds_on_one = inf
        self._hold, self._worthwhile_calls = BLOCK, 0
        self._length, self._calls, self._seconds = TRIAL, 0, 0.0

    @property
    def left(self) -> int:
        """Number of calls, at least 1, before which nothing changes."""
        return self._length - self._calls

    def add(self, seconds: float, calls: int = 1) -> None:
        """Take the duration of one or more calls into account, at most `left`."""
        self._calls += calls
        self._seconds += seconds
        if self._calls == self._length and self._seconds < TRIAL_S:
            self._length += TRIAL
        if self._calls == self._length:
            self._end_block(self._seconds / self._calls)

    def _end_block(self, seconds: float) -> None:
        if self.one_thread:
            self.one_thread, self._seconds_on_one, self._worthwhile_calls = False, seconds, 0
            self._start_block(TRIAL)
        elif seconds > WORTHWHILE * self._seconds_on_one:
            self.one_thread = True
            self._start_block(self._hold)
            self._hold = min(2 * self._hold, MAX_HOLD)
        else:
            self._hold, self._worthwhile_calls = BLOCK, self._worthwhile_calls + self._length
            self.one_thread = self._worthwhile_calls >= RECHECK
            self._start_block(TRIAL if self.one_thread else BLOCK)

    def _start_block(self, length: int) -> None:
        self._length, self._calls, self._seconds = length, 0, 0.0


def on_all_or_one(function: Callable[[int], None], threads: int) -> Callable[[int], None]:
    """Return a function that runs another on all `threads`, which are set for this Python thread, or on one.

    Both take a number of calls, to do as many times the same work.
    """
    if threads == 1:
        return function
    import numba

    choice = ThreadChoice()

    @wraps(function)
    def run(times: int) -> None:
        while times:
            calls = min(times, choice.left)
            start = perf_counter()
            if choice.one_thread:
                numba.set_num_threads(1)
            try:
                function(calls)
            finally:
                if choice.one_thread:
                    numba.set_num_threads(threads)
                choice.add(perf_counter() - start, calls)
            times -= calls

    return run
