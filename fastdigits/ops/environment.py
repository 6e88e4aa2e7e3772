"""What numba must be told before it compiles: where its cache lies, how it runs threads, how many.

Numba's disk cache sees a change neither in functions of other files nor in globals. So the cache
folder's name holds a hash of all sources of the operations: changed sources get a new folder. Another
does the CPU, since processes that compile for two of them at once would overwrite each other's index.
"""

import atexit
import hashlib
import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from threading import Lock

from fastdigits.errors import UserError

_LOCK = Lock()


def prepare_numba(threads: int | None = None) -> None:
    """Set numba up for the CPU kernels; must run before their modules are imported.

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
        os.environ["NUMBA_CACHE_DIR"] = str(cache_folder() or _passing_folder())
    import numba

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


def simulates_cuda() -> bool:
    """Whether numba runs CUDA kernels as Python threads, for tests."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")


def cache_folder() -> Path | None:
    """The folder for compiled kernels of exactly these sources and this CPU, or None where none can be written."""
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME") or _user_cache())
        folder = base / "fastdigits" / f"kernels-{_sources_hash()}-{_cpu_hash()}"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except (OSError, RuntimeError):  # the latter where the user has no home
        return None


def parallel_layer() -> str:
    """The layer that numba will run threads with: "omp" or "tbb" where they are installed, else "workqueue"."""
    for layer in ("omp", "tbb"):
        try:
            importlib.import_module(f"numba.np.ufunc.{layer}pool")
        except ImportError:
            continue
        return layer
    return "workqueue"


def one_at_a_time(function: Callable) -> Callable:
    """The same function, entered by one Python thread at a time: the workqueue layer aborts the process otherwise."""

    @wraps(function)
    def locked(*arguments, **named):
        with _LOCK:
            return function(*arguments, **named)

    return locked


@contextmanager
def on_first_compilation(announce: Callable[[], None]):
    """Call `announce` once if anything is compiled, not merely read from the cache, in this block."""
    from numba.core import event

    class Listener(event.Listener):
        announced = False

        def on_start(self, _event):
            if not self.announced:
                self.announced = True
                announce()

        def on_end(self, _event):
            pass

    with event.install_listener("numba:compile", Listener()):
        yield


def _passing_folder() -> str:
    """A cache that ends with the process: numba refuses to compile where it is told to cache and cannot."""
    folder = tempfile.mkdtemp(prefix="fastdigits-kernels-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _user_cache() -> Path:
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"])
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")


def _sources_hash() -> str:
    digest = hashlib.sha256(f"{version('numba')} {version('llvmlite')}".encode())
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _cpu_hash() -> str:
    """Of the CPU that numba compiles for."""
    from llvmlite import binding
    from numba import config

    from fastdigits.ops.lanes.machine import cpu_features

    names = [config.CPU_NAME or binding.get_host_cpu_name(), *sorted(cpu_features())]
    return hashlib.sha256(" ".join(names).encode()).hexdigest()[:8]
