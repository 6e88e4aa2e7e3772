"""The cache folder of compiled kernels, which processes share.

Numba's disk cache does not notice changes in the globals of a function or in functions of other files. So the name of
the folder contains a hash of all sources that are compiled: changed sources get a new folder. The name also contains a
hash of the CPU, because processes that compile for different CPUs would overwrite each other's index.
"""

import atexit
import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from filelock import FileLock

TEMPORARY_PREFIX = "fastdigits-kernels-"
LOCK_S = 60.0  # longest wait for another process that saves a kernel, which takes milliseconds
COMPILING_S = 60.0  # longest wait for another process that compiles a kernel
CLAIMS: "dict[str, FileLock]" = {}  # locks on the kernels that this process is compiling
StrPath = str | os.PathLike[str]
FOLDER_NAME = re.compile(r"kernels-(?P<sources>[0-9a-f]{16})-[0-9a-f]{8}")

# Files of ops/ whose code is never compiled, like the reference.py of each family and ops/*.py
UNCOMPILED_FOLDERS = {"runtime"}
UNCOMPILED_FILES = {f"cuda/{name}.py" for name in ("availability", "driver", "graph", "packages", "toolkit")}


class Folder(NamedTuple):
    """A folder of compiled kernels."""

    path: Path
    kernels: int
    size_bytes: int


def folder() -> Path | None:
    """Return the folder for kernels of these sources and this CPU, or None if it cannot be written."""
    try:
        return create_folder()
    except (OSError, RuntimeError):  # RuntimeError: the user has no home
        return None


def create_folder() -> Path:
    """Create and return the folder for kernels of these sources and this CPU.

    Raises
    ------
    OSError, RuntimeError
        If the folder cannot be written, or the user has no home.
    """
    path = _base() / f"kernels-{_sources_hash()}-{_cpu_hash()}"
    path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path):
        return path


def user_folder() -> Path:
    """Return the folder of this program among the user's caches; raise RuntimeError if the user has no home."""
    return _base()


def temporary_folder() -> str:
    """Create a folder that is removed at exit. Numba cannot compile cached functions without a folder."""
    path = tempfile.mkdtemp(prefix=TEMPORARY_PREFIX)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def is_persistent() -> bool:
    """Return whether kernels outlive this process. A device must be loaded."""
    return not Path(os.environ["NUMBA_CACHE_DIR"]).name.startswith(TEMPORARY_PREFIX)


def current() -> Folder | None:
    """Return the folder that this process uses, or None if it is temporary. A device must be loaded."""
    return examine(Path(os.environ["NUMBA_CACHE_DIR"])) if is_persistent() else None


def examine(path: Path) -> Folder:
    """Count the kernels of a folder and their bytes, while other processes may be adding some."""
    kernels, size_bytes = 0, 0
    for file in path.rglob("*"):
        with suppress(OSError):
            size_bytes += file.lstat().st_size
            kernels += file.suffix in (".nbc", ".ptx")  # of the CPU and of CUDA
    return Folder(path, kernels, size_bytes)


def outdated() -> list[Folder]:
    """Return the folders of other versions of the sources or of Numba."""
    own = _sources_hash()
    names = {p: FOLDER_NAME.fullmatch(p.name) for p in sorted(_base().glob("kernels-*")) if not p.is_symlink()}
    return [examine(path) for path, name in names.items() if name and name["sources"] != own]


def clean() -> list[Folder]:
    """Remove outdated folders and return those that are gone."""
    folders = outdated()
    for folder in folders:
        shutil.rmtree(folder.path, ignore_errors=True)
    return [folder for folder in folders if not folder.path.exists()]


@contextmanager
def locked(path: StrPath) -> Iterator[None]:
    """Let one process at a time into the block, per folder. Raises OSError if the folder cannot be locked."""
    from filelock import FileLock  # slow to import, and not needed when all kernels are in the cache

    with FileLock(os.path.join(path, "lock"), timeout=LOCK_S):  # its Timeout is an OSError
        yield


def share(caching: Any) -> None:
    """Replace the cache file class of Numba's or numba-cuda's module `caching` with one that processes can share."""
    if issubclass(caching.IndexDataCacheFile, SharedFile):
        return
    caching.IndexDataCacheFile = type("IndexDataCacheFile", (SharedFile, caching.IndexDataCacheFile), {})


class SharedFile:
    """Make Numba's index and data files of a function safe for several processes.

    If two processes read an index at the same time, Numba gives two kernels the same number, and a later process runs
    the wrong kernel. So only one process saves at a time, and it writes the data before the index, so that reading
    needs no lock. A kernel that cannot be saved or read is compiled again. If another process is compiling a kernel,
    this process waits for it.

    This is a mixin for `numba.core.caching.IndexDataCacheFile`, a private class; the declared members are what it
    relies on, and tests/ops/test_cache.py checks them.
    """

    _cache_path: str
    _index_name: str
    _data_name: Callable[[int], str]
    _save_data: Callable[[str, Any], None]
    _save_index: Callable[[dict], None]
    _load_index: Callable[[], dict]

    def load(self, key: object) -> Any:
        """Return the kernel of a key, or None if this process must compile it."""
        kernel = self._read(key)
        if kernel is None and self._claim(key):
            kernel = self._read(key)  # another process may have compiled it meanwhile
            if kernel is not None:
                self._release(key)
        return kernel

    def save(self, key: object, data: Any) -> None:
        """Save a kernel, unless the folder cannot be written or locked."""
        with suppress(OSError, NotImplementedError, ImportError), locked(self._cache_path):
            names = self._names()
            name = names.get(key) or self._data_name(len(names) + 1)
            self._save_data(name, data)
            self._save_index(names | {key: name})
        self._release(key)

    def _read(self, key: object) -> Any:
        with suppress(Exception):  # a damaged pickle may raise anything
            return super().load(key)  # type: ignore[misc]  # of the class that this is mixed into

    def _names(self) -> dict[object, str]:
        """Return the name of the data file of each key."""
        with suppress(Exception):
            return self._load_index()
        return {}

    def _claim(self, key: object) -> bool:
        """Return whether this process may compile a kernel; others wait until `_release` or the end of the process."""
        path = self._lock_path(key)
        if path in CLAIMS:  # its compilation failed before
            return False
        with suppress(OSError, NotImplementedError, ImportError):
            from filelock import FileLock  # slow to import, and not needed when all kernels are in the cache

            lock = FileLock(path, timeout=COMPILING_S)
            lock.acquire()
            CLAIMS[path] = lock
        return path in CLAIMS

    def _release(self, key: object) -> None:
        if lock := CLAIMS.pop(self._lock_path(key), None):
            lock.release()

    def _lock_path(self, key: object) -> str:
        digest = hashlib.sha256(f"{self._index_name} {key!r}".encode()).hexdigest()
        return os.path.join(self._cache_path, f"{digest[:16]}.lock")


def _base() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or _user_cache()) / "fastdigits"


def _user_cache() -> Path:
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"])
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")


def _sources_hash(root: Path = Path(__file__).parents[1]) -> str:
    """Return a hash of the sources in ops/ that are compiled, and of the compiler versions."""
    digest = hashlib.sha256(f"{version('numba')} {version('llvmlite')}".encode())
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if _is_compiled(name):
            digest.update(str(name).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _is_compiled(name: PurePath) -> bool:
    """Return whether a file of ops/ contains code that is compiled, or constants of such code."""
    if len(name.parts) == 1 or name.parts[0] in UNCOMPILED_FOLDERS:
        return False
    return name.name != "reference.py" and name.as_posix() not in UNCOMPILED_FILES


def _cpu_hash() -> str:
    """Return a hash of the CPU that Numba compiles for."""
    from llvmlite import binding
    from numba import config

    from fastdigits.ops.lanes.vector_unit import cpu_features

    settings: Any = config  # Numba sets its attributes at run time
    names = [settings.CPU_NAME or binding.get_host_cpu_name(), *sorted(cpu_features())]
    return hashlib.sha256(" ".join(names).encode()).hexdigest()[:8]
