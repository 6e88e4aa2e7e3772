"""Set up Numba before it compiles: its cache folder, its threading layer and its number of threads."""

import gc
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache, wraps
from threading import Lock
from types import ModuleType
from typing import Any

from fastdigits.errors import UserError
from fastdigits.ops.runtime import kernel_cache

_LOCK = Lock()


def prepare_numba(threads: int | None = None) -> None:
    """Set up Numba. Call this before importing modules with kernels.

    Parameters
    ----------
    threads : int, optional
        Number of threads for parallel loops. The default is one per core.

    Raises
    ------
    UserError
        If `threads` is less than 1 or exceeds the number of cores.
    """
    # OpenMP starts a parallel loop in microseconds; Numba's own layer takes ten times as long.
    os.environ.setdefault("NUMBA_THREADING_LAYER_PRIORITY", "omp tbb workqueue")
    # Idle threads may spin only for a short time, because on a busy machine they delay the threads that they wait for.
    # With one other busy program, training took twice as long with 2000 spins as with 500, and fifty times as long
    # with the default of 300,000. On an idle machine, 500 spins cost nothing.
    os.environ.setdefault("GOMP_SPINCOUNT", "500")
    if "NUMBA_CACHE_DIR" not in os.environ:
        os.environ["NUMBA_CACHE_DIR"] = str(kernel_cache.folder() or kernel_cache.temporary_folder())
    import numba
    from numba.core import caching

    kernel_cache.share(caching)
    _pause_collection()
    config: Any = numba.config  # Numba sets its attributes at run time
    config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"]
    config.THREADING_LAYER_PRIORITY = os.environ["NUMBA_THREADING_LAYER_PRIORITY"].split()
    max_threads = config.NUMBA_NUM_THREADS
    if threads is not None and not 1 <= threads <= max_threads:
        raise UserError(f"--threads must lie between 1 and {max_threads}, the number of cores, not {threads}.")
    numba.set_num_threads(threads or max_threads)


def cores() -> int:
    """Return the number of cores that Numba will use, without importing it."""
    given = os.environ.get("NUMBA_NUM_THREADS", "")
    if given.isdecimal():
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads() -> int:
    """Return the number of threads that kernels use in this process. A device must be loaded."""
    import numba

    return numba.get_num_threads()


def simulates_cuda() -> bool:
    """Return whether Numba simulates CUDA with Python threads, for tests."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")


def threading_layer() -> str:
    """Return the threading layer that Numba will use: "omp" or "tbb" if installed, else "workqueue"."""
    for layer in ("omp", "tbb"):
        try:
            importlib.import_module(f"numba.np.ufunc.{layer}pool")
        except ImportError:
            continue
        return layer
    return "workqueue"


def serialized(function: Callable) -> Callable:
    """Return the function with a lock, because the workqueue layer aborts the process if two threads enter it."""

    @wraps(function)
    def locked(*args: Any, **kwargs: Any) -> Any:
        with _LOCK:
            return function(*args, **kwargs)

    return locked


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
