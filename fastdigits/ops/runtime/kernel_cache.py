"""Where compiled kernels are kept, and how several processes share that folder.

Numba's disk cache sees a change neither in functions of other files nor in globals. So the cache
folder's name holds a hash of all sources of the operations: changed sources get a new folder. Another
does the CPU, since processes that compile for two of them at once would overwrite each other's index.
"""

import atexit
import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

PASSING = "fastdigits-kernels-"  # the beginning of the name of a cache that ends with its process
LOCK_S = 60.0  # the longest wait for another process; saving takes milliseconds
COMPILING_S = 60.0  # the longest wait for another process that compiles a kernel
CLAIMS: dict = {}  # the locks of the kernels that this process compiles
StrPath = str | os.PathLike[str]
# Files of ops/ in which nothing is compiled, so that editing them costs no user a compilation
UNCOMPILED = {"runtime", *map(Path, ("cuda/availability.py", "cuda/driver.py", "cuda/packages.py", "cuda/toolkit.py"))}
OURS = re.compile(r"kernels-(?P<sources>[0-9a-f]{16})-[0-9a-f]{8}")


class Folder(NamedTuple):
    """A folder of compiled kernels."""

    path: Path
    kernels: int
    size_bytes: int


def folder() -> Path | None:
    """The folder for compiled kernels of exactly these sources and this CPU, or None where none can be written."""
    try:
        return make_folder()
    except (OSError, RuntimeError):  # the latter where the user has no home
        return None


def make_folder() -> Path:
    """As `folder`, but with the OSError or RuntimeError that says why there is none."""
    path = _base() / f"kernels-{_sources_hash()}-{_cpu_hash()}"
    path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path):
        return path


def passing_folder() -> str:
    """A cache that ends with the process: numba refuses to compile where it is told to cache and cannot."""
    path = tempfile.mkdtemp(prefix=PASSING)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def lasts() -> bool:
    """Whether kernels outlive the process, once a device is loaded."""
    return not Path(os.environ["NUMBA_CACHE_DIR"]).name.startswith(PASSING)


def in_use() -> Folder | None:
    """The folder that kernels were told to lie in, once a device is loaded; None if it ends with the process."""
    return examine(Path(os.environ["NUMBA_CACHE_DIR"])) if lasts() else None


def examine(path: Path) -> Folder:
    """How much a folder holds; other processes may fill it meanwhile."""
    kernels, size_bytes = 0, 0
    for file in path.rglob("*"):
        with suppress(OSError):
            size_bytes += file.lstat().st_size
            kernels += file.suffix in (".nbc", ".ptx")  # of the CPU and of CUDA
    return Folder(path, kernels, size_bytes)


def of_other_versions() -> list[Folder]:
    """The folders that other sources of the operations, or other versions of numba, have left."""
    own = _sources_hash()
    names = {path: OURS.fullmatch(path.name) for path in sorted(_base().glob("kernels-*")) if not path.is_symlink()}
    return [examine(path) for path, name in names.items() if name and name["sources"] != own]


def clean() -> list[Folder]:
    """Remove the folders of other versions; return those that are gone."""
    folders = of_other_versions()
    for folder in folders:
        shutil.rmtree(folder.path, ignore_errors=True)
    return [folder for folder in folders if not folder.path.exists()]


@contextmanager
def locked(path: StrPath) -> Iterator[None]:
    """One process at a time may be in this block, for this folder; an OSError where it cannot be locked."""
    from filelock import FileLock  # heavy beside a start with all kernels in the cache

    with FileLock(os.path.join(path, "lock"), timeout=LOCK_S):  # whose Timeout is an OSError
        yield


def share(caching: ModuleType) -> None:
    """Let processes share the folder safely; `caching` is numba's module of that name, or that of numba-cuda."""
    if issubclass(caching.IndexDataCacheFile, SharedFile):
        return

    class IndexDataCacheFile(SharedFile, caching.IndexDataCacheFile):
        pass

    caching.IndexDataCacheFile = IndexDataCacheFile


class SharedFile:
    """What makes numba's index and data files of a function safe among processes.

    Two processes that read an index at once would give two kernels the same number, and a later one would run
    the wrong kernel. So one at a time may save, and the data are there before the index tells of them, so that
    reading needs no lock. What cannot be saved or read is compiled anew. Nor do two processes compile the same kernel:
    the second one waits for the first.
    """

    def load(self, key):
        """The kernel of that key, or None for this process to compile it."""
        kernel = self._read(key)
        if kernel is None and self._claim(key):
            kernel = self._read(key)  # another process may have been at it
            if kernel is not None:
                self._release(key)
        return kernel

    def save(self, key, data):
        """Keep a kernel, unless the folder cannot be written or locked."""
        with suppress(OSError, NotImplementedError, ImportError), locked(self._cache_path):
            numbers = self._numbers()
            name = numbers.get(key) or self._data_name(len(numbers) + 1)
            self._save_data(name, data)
            self._save_index(numbers | {key: name})
        self._release(key)

    def _read(self, key):
        with suppress(Exception):  # a damaged pickle may raise anything
            return super().load(key)

    def _numbers(self) -> dict:
        with suppress(Exception):
            return self._load_index()
        return {}

    def _claim(self, key) -> bool:
        """Whether this process may compile a kernel and lets others wait; it ends with `_release` or the process."""
        place = self._place(key)
        if place in CLAIMS:  # it could not be compiled before
            return False
        with suppress(OSError, NotImplementedError, ImportError):
            from filelock import FileLock  # heavy beside a start with all kernels in the cache

            lock = FileLock(place, timeout=COMPILING_S)
            lock.acquire()
            CLAIMS[place] = lock
        return place in CLAIMS

    def _release(self, key) -> None:
        if lock := CLAIMS.pop(self._place(key), None):
            lock.release()

    def _place(self, key) -> str:
        digest = hashlib.sha256(f"{self._index_name} {key!r}".encode()).hexdigest()
        return os.path.join(self._cache_path, f"{digest[:16]}.lock")


def _base() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or _user_cache()) / "fastdigits"


def _user_cache() -> Path:
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"])
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")


def _sources_hash() -> str:
    digest = hashlib.sha256(f"{version('numba')} {version('llvmlite')}".encode())
    root = Path(__file__).parents[1]
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root)
        if len(place.parts) > 1 and place not in UNCOMPILED and place.parts[0] not in UNCOMPILED:
            digest.update(str(place).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _cpu_hash() -> str:
    """Of the CPU that numba compiles for."""
    from llvmlite import binding
    from numba import config

    from fastdigits.ops.lanes.vector_unit import cpu_features

    names = [config.CPU_NAME or binding.get_host_cpu_name(), *sorted(cpu_features())]
    return hashlib.sha256(" ".join(names).encode()).hexdigest()[:8]
