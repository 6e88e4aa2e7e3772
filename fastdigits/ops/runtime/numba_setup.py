"""Set up Numba before it compiles: check its environment variables, and find its threading layer."""

import gc
import os
from functools import lru_cache
from typing import Any

from fastdigits.errors import UserError, setting
from fastdigits.ops.runtime import pool

MAX_THREADS = 1024  # more than any machine can use, and few enough to be started


def prepare_numba(threads: int | None = None) -> int:
    """Set up Numba and return the number of threads for parallel loops. Call this before importing kernels.

    Parameters
    ----------
    threads : int, optional
        Number of threads for parallel loops. The default is one per core.

    Raises
    ------
    UserError
        If `threads` is less than 1 or exceeds the number of cores, or if an environment variable stops the kernels.
    """
    check_variables()
    pool.preload_tbb()  # its threads share out the work as cores come, which suits quiet machines and busy ones
    # Only for OpenMP, which Numba uses where TBB is not installed. Its idle threads may spin only for a short time,
    # because on a busy machine they delay the threads that they wait for: with one other busy program, training took
    # twice as long with 2000 spins as with 500, and fifty times as long with the default of 300,000.
    os.environ.setdefault("GOMP_SPINCOUNT", "500")
    import numba

    pool.watch_forks()
    _pause_collection()
    config: Any = numba.config  # Numba sets its attributes at run time
    max_threads = config.NUMBA_NUM_THREADS
    if threads is not None and not 1 <= threads <= max_threads:
        raise UserError(
            f"{setting('threads')} must lie between 1 and {max_threads}, the number of cores, not {threads}."
        )
    return threads or max_threads


def check_variables() -> None:
    """Raise UserError if an environment variable would make Numba fail, or not compile."""
    given = os.environ.get("NUMBA_NUM_THREADS")
    if given is not None and not (given.isdecimal() and 1 <= int(given) <= MAX_THREADS):
        raise UserError(
            f"NUMBA_NUM_THREADS is '{given}'; set it to a whole number from 1 to {MAX_THREADS}, or unset it."
        )
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        raise UserError(
            "NUMBA_DISABLE_JIT is set, but the kernels run only if they are compiled; unset it, or use the device "
            "'reference'."
        )


def cores() -> int:
    """Return the number of cores that Numba will use, without importing it."""
    given = os.environ.get("NUMBA_NUM_THREADS", "")
    if given.isdecimal():
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def simulates_cuda() -> bool:
    """Return whether Numba simulates CUDA with Python threads, for tests."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")


@lru_cache
def _pause_collection() -> None:
    """Pause Python's garbage collection while Numba compiles, because it takes an eighth of that time."""
    from numba.core import event

    class Pause(event.Listener):
        depth, enabled = 0, True  # compilations are nested

        def on_start(self, _event: object) -> None:
            if self.depth == 0:
                self.enabled = gc.isenabled()
                gc.disable()
            self.depth += 1

        def on_end(self, _event: object) -> None:
            self.depth -= 1
            if self.depth == 0 and self.enabled:
                gc.enable()

    event.register("numba:compile", Pause())
