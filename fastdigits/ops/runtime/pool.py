"""The threads that run parallel loops, for several Python threads and across forks.

Numba starts its threads when the first parallel kernel runs, so a process that has only loaded a network can be forked
with any threading layer. Later the child may lack threads whose locks it has. Where the layer cannot repair this,
kernels raise an error in the child instead of waiting for ever.
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
from typing import Any

from fastdigits.errors import UserError

LAYERS = ("tbb", "omp", "workqueue")
LAYER_CHOICES = (*LAYERS, "safe", "threadsafe", "forksafe", "default")
TBB_LIBRARY = {"linux": "libtbb.so.12", "win32": "tbb12.dll"}


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
    _POOL.starter = _POOL.starter or threading.get_ident()
    return numba.threading_layer()


def guarded(function: Callable, threads: int) -> Callable:
    """Return a kernel that runs on a number of threads from any Python thread, or raises an error after a fork."""
    local = _LOCAL

    @wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        if local.threads == threads:  # costs a tenth of a microsecond
            return function(*arguments, **named)
        with _POOL.entered(threads):
            return function(*arguments, **named)

    return run


def use_threads(threads: int) -> None:
    """Set the number of threads for kernels that this Python thread calls, which Numba keeps for each Python thread."""
    import numba

    numba.set_num_threads(threads)
    _LOCAL.threads = threads


def in_one_process(function: Callable) -> Callable:
    """Return an operation of a GPU that raises an error in a forked process, where the GPU cannot be used."""
    _GPU.used = True

    @wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        check_gpu()
        return function(*arguments, **named)

    return run


def check_gpu() -> None:
    """Raise UserError in a forked process that cannot use the GPU."""
    if _GPU.why_lost:
        raise UserError(f"The GPU cannot be used: {_GPU.why_lost}.")


def why_gpu_lost() -> str | None:
    """Return why this process cannot use the GPU, if it was forked from one that used it."""
    return _GPU.why_lost


class _Local(threading.local):
    """The number of threads that was set for this Python thread, or 0 if kernels must not run before a check."""

    threads = 0


class _Pool:
    """Numba's threads: which Python threads use them, and whether they have survived a fork.

    Attributes
    ----------
    starter : int, optional
        The Python thread that started them.
    """

    def __init__(self) -> None:
        self.starter: int | None = None
        self._layer: str | None = None
        self._users: set[int] = set()  # Python threads that have run kernels
        self._lock = threading.Lock()
        self._one_at_a_time = threading.RLock()
        self._others = False  # whether other Python threads that have run kernels were alive at the fork
        self._why_lost: str | None = None

    def entered(self, threads: int) -> AbstractContextManager:
        """Prepare this Python thread for kernels on a number of threads, and return the context to run one in."""
        with self._lock:
            if self._why_lost:
                raise UserError(self._why_lost)
            self._layer = self._layer or layer()
            self._users.add(threading.get_ident())
        if self._layer == "workqueue":  # it aborts the process if two Python threads run kernels at the same time
            use_threads(threads)
            _LOCAL.threads = 0
            return self._one_at_a_time
        from fastdigits.ops.runtime import team

        is_installed = team.install()
        use_threads(threads)
        if not is_installed:
            _LOCAL.threads = 0
        return nullcontext()

    def before_fork(self) -> None:
        """Wait for locks that the child would never get if another thread held them."""
        for lock in self._locks():
            lock.acquire()
        alive = {thread.ident for thread in threading.enumerate()}
        self._others = bool((self._users & alive | {self.starter}) - {threading.get_ident(), None})

    def after_fork_in_parent(self) -> None:
        for lock in reversed(self._locks()):
            lock.release()

    def after_fork_in_child(self) -> None:
        self._why_lost = self._why_lost or self._why_lost_in_child()
        self._users &= {threading.get_ident()}
        _LOCAL.threads = 0
        self.after_fork_in_parent()

    def _locks(self) -> list[Any]:
        from numba.core.compiler_lock import global_compiler_lock

        # In the order in which a captured function takes them, whose kernels are guarded, too
        return [self._one_at_a_time, self._lock, global_compiler_lock]

    def _why_lost_in_child(self) -> str | None:
        forked = "The kernels cannot run in this process, because it was forked"
        if self._layer == "omp" and _openmp() == "GNU":
            return (
                f"{forked} after the threads of OpenMP had started; start processes with 'spawn', predict only after "
                "the fork, or set NUMBA_THREADING_LAYER to tbb ('pip install tbb') or to workqueue."
            )
        if self._layer == "tbb" and self._others:
            return (
                f"{forked} while its parent had another thread that ran kernels; start processes with 'spawn', fork "
                "before any other thread predicts, or set NUMBA_THREADING_LAYER=workqueue."
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


_LOCAL, _POOL, _GPU = _Local(), _Pool(), _Gpu()


@cache
def watch_forks() -> None:
    """Prepare for forks, once."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_POOL.before_fork, after_in_parent=_POOL.after_fork_in_parent, after_in_child=_after_fork_in_child
        )


def _after_fork_in_child() -> None:
    _POOL.after_fork_in_child()
    _GPU.after_fork_in_child()
