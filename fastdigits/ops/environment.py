"""What numba must be told before it compiles: where its cache lies, how it runs threads, how many.

Numba's disk cache sees a change neither in functions of other files nor in globals. So the cache
folder's name holds a hash of all sources of the operations: changed sources get a new folder.
"""

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from fastdigits.errors import UserError


def prepare_numba(threads: int | None = None) -> None:
    """Set numba up for the CPU kernels; must run before their modules are imported.

    Raises
    ------
    UserError
        If `threads` is more than the machine has.
    """
    # OpenMP starts a parallel loop in microseconds; numba's own layer takes ten times as long
    # and aborts the process when two Python threads enter it.
    os.environ.setdefault("NUMBA_THREADING_LAYER_PRIORITY", "omp tbb workqueue")
    folder = cache_folder()
    if folder:
        os.environ.setdefault("NUMBA_CACHE_DIR", str(folder))
    import numba

    if "NUMBA_CACHE_DIR" in os.environ:
        numba.config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"]
    numba.config.THREADING_LAYER_PRIORITY = os.environ["NUMBA_THREADING_LAYER_PRIORITY"].split()
    most = numba.config.NUMBA_NUM_THREADS
    if threads is not None and not 1 <= threads <= most:
        raise UserError(f"--threads must lie between 1 and {most}, the cores that are here, not {threads}.")
    numba.set_num_threads(threads or most)


def cache_folder() -> Path | None:
    """The folder for compiled kernels of exactly these sources, or None where none can be written."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or _user_cache())
    folder = base / "fastdigits" / f"kernels-{_sources_hash()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return None


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
