"""The threads that run parallel loops, in several Python threads and across forks.

Numba starts its threads when the first parallel kernel runs, so a process that has only loaded a network can be forked
with any threading layer. A fork waits until no kernel is running, because the child would inherit locks of threads that
it does not have. If the layer does not survive a fork, kernels raise an error in the child instead of waiting for ever.
"""

import ctypes
import os
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cache, wraps
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from time import monotonic, sleep
from typing import Any

from fastdigits.errors import UserError

LAYERS = ("tbb", "omp", "workqueue")
LAYER_CHOICES = (*LAYERS, "safe", "threadsafe", "forksafe", "default")
TBB_LIBRARY = {"linux": "libtbb.so.12", "win32": "tbb12.dll"}
MAX_FORK_WAIT_S = 60.0  # for kernels that other threads run, or compile
POLL_S = 0.0002


def preload_tbb() -> None:
    """Load the library of the package tbb, which lies in a folder that the system does not search."""
    with suppress(PackageNotFoundError, OSError):
        for file in distribution("tbb").files or ():
            if file.name == TBB_LIBRARY.get(sys.platform):
                ctypes.CDLL(str(file.locate()), mode=ctypes.RTLD_GLOBAL)


def layer() -> str:
    """Start Numba's threads, unless they run, and return the threading layer that it has chosen.

    Raises
    ------
    UserError
        If environment variables ask for a layer that does not exist here.
    """
    import numba

    try:
        numba.get_num_threads()  # starts the threads
    except ValueError as error:
        raise UserError(_why_no_layer(error)) from None
    return numba.threading_layer()


def guarded(function: Callable, threads: int) -> Callable:
    """Return a kernel that runs on a number of threads from any Python thread, and never during a fork."""
    enter, leave, local, get_ident = _GATE.running.add, _GATE.running.discard, _LOCAL, threading.get_ident

    @wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        me = get_ident()
        try:
            enter(me)
            if _GATE.is_open and local.threads == threads:  # a few tenths of a microsecond
                return function(*arguments, **named)
            with _GATE.passed(me):
                use_threads(threads)
                return function(*arguments, **named)
        finally:
            leave(me)

    return run


def use_threads(threads: int) -> None:
    """Set the number of threads for kernels that this Python thread calls. Numba keeps it per Python thread."""
    import numba

    numba.set_num_threads(threads)
    _LOCAL.threads = threads


def in_one_process(function: Callable) -> Callable:
    """Return an operation of a GPU that raises an error in a forked process, where the GPU cannot be used."""
    _GPU.used = True

    @wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        if _GPU.why_lost:
            raise UserError(f"The GPU cannot be used: {_GPU.why_lost}.")
        return function(*arguments, **named)

    return run


def why_gpu_lost() -> str | None:
    """Return why this process cannot use the GPU, if it was forked from one that used it."""
    return _GPU.why_lost


class _Local(threading.local):
    threads = 0  # as set for this Python thread; 0 if not


class _Gate:
    """Lets any number of kernels run, or one fork.

    Attributes
    ----------
    is_open : bool
        Whether kernels may start at once: the threads have started, and no fork is under way. It is never open for the
        layer workqueue, which aborts the process if two Python threads run kernels at the same time.
    running : set of int
        The Python threads that run or compile a kernel. They add themselves before they look at `is_open`, so that a
        fork, which first closes the gate, sees each of them or is seen by it.
    """

    def __init__(self) -> None:
        self.is_open = False
        self.running: set[int] = set()
        self._lock = threading.Lock()  # held while the threads start, and during a fork
        self._layer: str | None = None
        self._starter: int | None = None  # the Python thread that has started the threads
        self._quiet = True  # no kernel was running at the fork
        self._why_lost: str | None = None  # why kernels cannot run in this process

    def passed(self, me: int) -> AbstractContextManager:
        """Wait for the end of a fork, and start the threads if they are not running. Run the kernel in the context."""
        self.running.discard(me)
        with self._lock:
            if self._why_lost:
                raise UserError(self._why_lost)
            if not self._layer:
                self._layer, self._starter = layer(), me
            self.is_open = self._layer != "workqueue"
            self.running.add(me)
        return nullcontext() if self.is_open else _ONE_AT_A_TIME

    def before_fork(self) -> None:
        from numba.core.compiler_lock import global_compiler_lock

        self._lock.acquire()
        self.is_open = False
        end, me = monotonic() + MAX_FORK_WAIT_S, {threading.get_ident()}
        while self.running - me and monotonic() < end:
            sleep(POLL_S)
        self._quiet = not self.running - me
        global_compiler_lock.acquire()  # also of kernels that need no threads

    def after_fork_in_parent(self) -> None:
        from numba.core.compiler_lock import global_compiler_lock

        global_compiler_lock.release()
        self._lock.release()

    def after_fork_in_child(self) -> None:
        self._why_lost = self._why_lost or self._why_lost_in_child()
        self.running.clear()
        self.after_fork_in_parent()

    def _why_lost_in_child(self) -> str | None:
        if not self._layer:
            return None
        forked = "The kernels cannot run in this process, because it was forked"
        if not self._quiet:
            return f"{forked} while another thread was running one; fork earlier, or start processes with 'spawn'."
        if self._layer == "omp" and _openmp() == "GNU":
            return (
                f"{forked} after the threads of OpenMP had started; start processes with 'spawn', predict only after "
                "the fork, or set NUMBA_THREADING_LAYER to tbb ('pip install tbb') or to workqueue."
            )
        if self._layer == "tbb" and self._starter != threading.get_ident():
            return (
                f"{forked} by another thread than the one that ran the first kernel; fork in that thread, start "
                "processes with 'spawn', or set NUMBA_THREADING_LAYER=workqueue."
            )
        return None


class _Gpu:
    """Whether this process uses a GPU, and why it cannot any longer."""

    used = False
    why_lost: str | None = None

    def after_fork_in_child(self) -> None:
        if self.used:
            self.why_lost = (
                "this process was forked from one that used it; start processes with 'spawn', or load networks only "
                "after the fork"
            )


def _why_no_layer(error: ValueError) -> str:
    """Return what is wrong with the environment variables, in one sentence."""
    chosen = os.environ.get("NUMBA_THREADING_LAYER", "default")
    if chosen.lower() not in LAYER_CHOICES:
        return f"NUMBA_THREADING_LAYER is '{chosen}'; set it to one of {', '.join(LAYER_CHOICES)}, or unset it."
    if str(error).startswith("THREADING_LAYER_PRIORITY"):
        return "NUMBA_THREADING_LAYER_PRIORITY must name tbb, omp and workqueue in any order; correct or unset it."
    needed = "OpenMP" if chosen.lower() == "omp" else "TBB"
    cure = "unset the variable" if needed == "OpenMP" else "run 'pip install tbb', or unset the variable"
    return f"NUMBA_THREADING_LAYER is '{chosen}', which needs {needed}, but {needed} is not installed; {cure}."


def _openmp() -> str:
    """Return who made the OpenMP that Numba uses: "GNU", "Intel" or "MS"."""
    return import_module("numba.np.ufunc.omppool").openmp_vendor


_LOCAL, _GATE, _GPU, _ONE_AT_A_TIME = _Local(), _Gate(), _Gpu(), threading.Lock()


@cache
def watch_forks() -> None:
    """Prepare for forks, once."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_GATE.before_fork, after_in_parent=_GATE.after_fork_in_parent, after_in_child=_after_fork_in_child
        )


def _after_fork_in_child() -> None:
    _GATE.after_fork_in_child()
    _GPU.after_fork_in_child()
