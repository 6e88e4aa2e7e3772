"""What numba must be told before it compiles: where its cache lies, how it runs threads, how many."""

import gc
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache, wraps
from threading import Lock
from types import ModuleType

from fastdigits.errors import UserError
from fastdigits.ops.runtime import kernel_cache

_LOCK = Lock()


def prepare_numba(threads: int | None = None) -> None:
    """Set numba up for its kernels; must run before their modules are imported.

    Raises
    ------
    UserError
        If `threads` is more than the machine has.
    """
    # OpenMP starts a parallel loop in microseconds; numba's own layer takes ten times as long.
    os.environ.setdefault("NUMBA_THREADING_LAYER_PRIORITY", "omp tbb workqueue")
    # A core that has finished its share waits awake for the next loop, but not for long: on a busy
    # machine it would hold up the very core it waits for. Beside one other busy program training took twice
    # as long with 2000 turns as with 500, and fifty times with the usual 300,000; on an idle one 500 cost nothing.
    os.environ.setdefault("GOMP_SPINCOUNT", "500")
    if "NUMBA_CACHE_DIR" not in os.environ:
        os.environ["NUMBA_CACHE_DIR"] = str(kernel_cache.folder() or kernel_cache.passing_folder())
    import numba
    from numba.core import caching

    kernel_cache.share(caching)
    _pause_collection()
    numba.config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"]
    numba.config.THREADING_LAYER_PRIORITY = os.environ["NUMBA_THREADING_LAYER_PRIORITY"].split()
    most = numba.config.NUMBA_NUM_THREADS
    if threads is not None and not 1 <= threads <= most:
        raise UserError(f"--threads must lie between 1 and {most}, the cores that are here, not {threads}.")
    numba.set_num_threads(threads or most)


def cores() -> int:
    """How many cores numba will take, without waiting for its import."""
    told = os.environ.get("NUMBA_NUM_THREADS", "")
    if told.isdecimal():
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads() -> int:
    """How many cores the kernels of this process use, once a device is loaded."""
    import numba

    return numba.get_num_threads()


def simulates_cuda() -> bool:
    """Whether numba runs CUDA kernels as Python threads, for tests."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")


def threading_layer() -> str:
    """The layer that numba will run threads with: "omp" or "tbb" where they are installed, else "workqueue"."""
    for layer in ("omp", "tbb"):
        try:
            importlib.import_module(f"numba.np.ufunc.{layer}pool")
        except ImportError:
            continue
        return layer
    return "workqueue"


def serialized(function: Callable) -> Callable:
    """The same function, entered by one Python thread at a time: the workqueue layer aborts the process otherwise."""

    @wraps(function)
    def locked(*arguments, **named):
        with _LOCK:
            return function(*arguments, **named)

    return locked


@contextmanager
def on_first_compilation(announce: Callable[[], None]):
    """Call `announce` once if anything is compiled, not merely read from the cache, in this block."""
    announced = False

    def start() -> None:
        nonlocal announced
        if not announced:
            announced = True
            announce()

    with on_compilation(start):
        yield


@contextmanager
def on_compilation(start: Callable[[], None]):
    """Call `start` before anything is compiled in this block, also for each function that another one needs."""

    def listener(kind: type) -> object:
        class Listener(kind):
            def on_start(self, _event):
                start()

            def on_end(self, _event):
                pass

        return Listener()

    with ExitStack() as listening:
        for events, name in _compilations():
            listening.enter_context(events.install_listener(name, listener(events.Listener)))
        yield


def _compilations() -> Iterator[tuple[ModuleType, str]]:
    """The modules that tell of compilations, and what they call them."""
    from numba.core import event

    yield event, "numba:compile"
    if "numba.cuda.core.event" in sys.modules:  # numba-cuda's own, which tells only of the passes
        yield sys.modules["numba.cuda.core.event"], "numba-cuda:run_pass"


@lru_cache
def _pause_collection() -> None:
    """Let Python's search for unreachable objects wait while numba compiles: it took an eighth of that time."""
    from numba.core import event

    class Pause(event.Listener):
        depth, enabled = 0, True  # functions are compiled within the compilation of others

        def on_start(self, _event):
            if self.depth == 0:
                self.enabled = gc.isenabled()
                gc.disable()
            self.depth += 1

        def on_end(self, _event):
            self.depth -= 1
            if self.depth == 0 and self.enabled:
                gc.enable()

    event.register("numba:compile", Pause())
