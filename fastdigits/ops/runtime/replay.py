"""Replay compiled kernels in a single call, as a CUDA graph does on a GPU.

A kernel call from Python costs some microseconds. It also releases and acquires the global interpreter lock (GIL),
which takes long while other threads want it. A replay costs that only once for any number of kernels, and for any
number of repetitions. It is a table of kernels and of their arguments: the addresses and shapes of arrays, and numbers.
"""

import inspect
from collections import Counter
from collections.abc import Callable
from functools import wraps
from itertools import chain
from threading import get_ident
from typing import Any

from fastdigits.ops.runtime.thread_choice import on_all_or_one

Call = tuple[Any, tuple]  # a kernel, which is a dispatcher of Numba, and its arguments

RECORDED_CALL = 2  # the first one loads the kernels
_RECORDINGS: dict[int, list] = {}  # the calls by Python thread; None stands for an operation that cannot be replayed


def is_recording() -> bool:
    """Return whether the calls of this thread are recorded for a replay."""
    return bool(_RECORDINGS) and get_ident() in _RECORDINGS


def recordable(kernel: Any) -> Callable[..., None]:
    """Return a function that calls a compiled kernel, and records the call if this thread is recording."""
    from fastdigits.ops.runtime import entry

    signature, kernel = inspect.signature(kernel.py_func), entry.with_entry(kernel)

    @wraps(kernel.py_func)
    def run(*arguments: Any, **named: Any) -> None:
        kernel(*arguments, **named)
        if is_recording():
            _RECORDINGS[get_ident()].append((kernel, signature.bind(*arguments, **named).args))

    return run


def unrecorded(operation: Callable) -> Callable:
    """Return an operation in NumPy, which cannot be replayed: what calls it will not be replayed either."""

    @wraps(operation)
    def marked(*arguments: Any, **named: Any) -> Any:
        if is_recording():
            _RECORDINGS[get_ident()].append(None)
        return operation(*arguments, **named)

    return marked


class Captured:
    """A function that runs its kernels one by one at first, records them once, and then replays them.

    See `captured` in ops/array/reference.py for what the function may do. If it calls any operation that is not a
    compiled kernel, it is called every time. One thread at a time may call it.

    Parameters
    ----------
    function : function
    threads : int
        Number of threads that kernels may use; a replay uses one if that is faster.
    """

    def __init__(self, function: Callable, threads: int = 1):
        from fastdigits.ops.runtime import team

        self.function, self.threads = function, threads
        self.calls: Counter[tuple] = Counter()
        self.replays: dict[tuple, tuple[Callable[[int], None], Any]] = {}  # with the results, by arguments
        team.prepare()

    def __call__(self, *arguments: Any, times: int = 1) -> Any:
        while not (recorded := self.replays.get(arguments)):
            self.calls[arguments] += 1
            result = self._record(arguments) if self.calls[arguments] == RECORDED_CALL else self.function(*arguments)
            times -= 1
            if not times:
                return result
        replay, result = recorded
        replay(times)
        return result

    def _record(self, arguments: tuple) -> Any:
        """Call the function and, if it runs compiled kernels only, keep a replay."""
        result, calls = record(self.function, *arguments)
        if calls is not None:
            self.replays[arguments] = on_all_or_one(replay_of(calls), self.threads), result
        return result


def record(function: Callable, *arguments: Any) -> tuple[Any, list[Call] | None]:
    """Call a function; return its result and the kernels that it ran, or None if it ran anything else."""
    calls = _RECORDINGS[get_ident()] = []
    try:
        result = function(*arguments)
    finally:
        del _RECORDINGS[get_ident()]
    return result, None if None in calls else calls


def replay_of(calls: list[Call]) -> Callable[..., None]:
    """Return a function that runs the kernels again with the same arguments, `times` times, without the GIL.

    Raises
    ------
    MemoryError
        When it is called, if a kernel cannot allocate memory: kernels raise nothing else.
    """
    import numpy as np

    from fastdigits.ops.runtime import entry, team

    arguments = [entry.packed(values) for _, values in calls]
    pairs = [(entry.address(*call), words.ctypes.data) for call, words in zip(calls, arguments, strict=True)]
    words = np.array([1, len(calls), *chain.from_iterable(pairs)], np.int64)
    run, latest = team.runner(words, any(kernel.targetoptions.get("parallel") for kernel, _ in calls)), 1

    def replay(times: int = 1) -> None:
        nonlocal latest
        if times != latest:
            words[0] = latest = times
        if run():
            raise MemoryError("There is not enough memory for the operation.")

    replay.kept = calls, arguments  # type: ignore[attr-defined]  # whose addresses are in the words
    return replay
