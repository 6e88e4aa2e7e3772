"""The cache folder of compiled kernels, which processes share.

The name of the folder contains a hash of all sources that are compiled, so changed sources get a new folder. It also
contains a hash of the CPU. Each compiled kernel is one file, named after a hash of what it was compiled from and for.
There is no index, and a file never changes its meaning, so a process can never read the kernel of another function.
"""

import glob
import hashlib
import os
import pickle
import re
import shutil
import sys
import tempfile
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path, PurePath
from threading import get_ident
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from filelock import FileLock

COMPILING_S = 60.0  # longest wait for another process that compiles a kernel
CLAIMS: "dict[Path, FileLock]" = {}  # locks on the kernels that this process is compiling
NOT_WRITTEN: "set[Path]" = set()  # kernels that this process could not write
FOLDER_NAME = re.compile(r"kernels-(?P<sources>[0-9a-f]{16})-[0-9a-f]{8}")
SUFFIXES = (".kernel", ".ptx")  # of compiled kernels of the CPU and of CUDA
DIGEST_BYTES = 32

# Files of ops/ whose code is never compiled, like the reference.py of each family and ops/*.py, or whose code is hashed
# for itself, as in custom/
UNCOMPILED_FOLDERS = {"custom", "runtime"}
# Files of runtime/ that decide what is compiled, and its names, or are compiled
COMPILED = {
    f"runtime/{name}.py"
    for name in ("code_library", "entry", "numba_cache", "team/__init__", "team/atomics", "team/compiled")
}
UNCOMPILED_FILES = {f"cuda/{name}.py" for name in ("availability", "driver", "graph", "packages", "toolkit")}


class Folder(NamedTuple):
    """A folder of compiled kernels."""

    path: Path
    kernels: int
    size_bytes: int


def folder() -> Path | None:
    """Return the folder for kernels, which may not exist; None if the user has no home."""
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(given)
    try:
        return _base() / f"kernels-{own_sources_hash()}-{_cpu_hash()}"
    except RuntimeError:
        return None


def create_folder() -> Path:
    """Create and return the folder for kernels.

    Raises
    ------
    OSError
        If the folder cannot be written, or the user has no home.
    """
    path = folder()
    if path is None:
        raise OSError("the user has no home folder")
    path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path):
        return path


def is_writable() -> bool:
    """Return whether kernels that this process compiles outlive it."""
    with suppress(OSError):
        return bool(create_folder())
    return False


def missing() -> int:
    """Return the number of kernels that this process could not write, and that are not in the folder now."""
    return sum(path.parent == folder() and not path.exists() for path in NOT_WRITTEN)


def user_folder() -> Path:
    """Return the folder of this program among the user's caches; raise RuntimeError if the user has no home."""
    return _base()


def current() -> Folder | None:
    """Return the folder for kernels, or None if it does not exist and cannot be created."""
    path = folder()
    return examine(path) if path and (path.is_dir() or is_writable()) else None


def examine(path: Path) -> Folder:
    """Count the kernels of a folder and their bytes, while other processes may be adding some."""
    kernels, size_bytes = 0, 0
    for file in path.rglob("*"):
        with suppress(OSError):
            size_bytes += file.lstat().st_size
            kernels += file.suffix in SUFFIXES
    return Folder(path, kernels, size_bytes)


def outdated() -> list[Folder]:
    """Return the folders of other versions of the sources or of Numba."""
    return [examine(path) for path, sources in _folders() if sources != own_sources_hash()]


def of_other_cpus() -> list[Folder]:
    """Return the folders of kernels that were compiled for other kinds of CPU, which this one does not use."""
    return [examine(path) for path, sources in _folders() if sources == own_sources_hash() and path != folder()]


def _folders() -> list[tuple[Path, str]]:
    """Return each folder of kernels in the user's cache with the hash of its sources."""
    names = [(path, FOLDER_NAME.fullmatch(path.name)) for path in sorted(_base().glob("kernels-*"))]
    return [(path, name["sources"]) for path, name in names if name and not path.is_symlink()]


def clean() -> list[Folder]:
    """Remove outdated folders and return those that are gone."""
    folders = outdated()
    for folder in folders:
        shutil.rmtree(folder.path, ignore_errors=True)
    return [folder for folder in folders if not folder.path.exists()]


class KernelFile:
    """The file of one compiled kernel: a SHA-256 of the rest, then what the kernel was compiled for, and the kernel.

    A file that is damaged in any way is as good as missing. If another process is compiling the kernel, this process
    waits for it. A kernel that cannot be saved is compiled by every process.

    Parameters
    ----------
    name : str
        Of the function, for people who look into the folder.
    key : object
        What the kernel was compiled from and for. Keys that are equal must have the same `repr`.
    """

    def __init__(self, name: str, key: object):
        self._key = key
        digest = hashlib.sha256(f"{own_sources_hash()} {name} {key!r}".encode()).hexdigest()
        self._folder = folder()
        self.path = (self._folder or Path()) / f"{name}-{digest[:24]}.kernel"

    def load(self) -> Any:
        """Return the kernel, or None if this process must compile it."""
        kernel = self._read()
        if kernel is None and self._claim():
            kernel = self._read()  # another process may have compiled it meanwhile
            if kernel is not None:
                self._release()
        return kernel

    def save(self, kernel: Any) -> None:
        """Save a kernel, unless the folder cannot be written."""
        from numba.core.serialize import dumps

        if self._folder:
            content = dumps((self._key, kernel))
            try:
                write(self.path, hashlib.sha256(content).digest() + content)
            except OSError:
                NOT_WRITTEN.add(self.path)
        self._release()

    def _read(self) -> Any:
        with suppress(Exception):  # a file of another version may raise anything
            content = self.path.read_bytes()
            if self._folder and hashlib.sha256(content[DIGEST_BYTES:]).digest() == content[:DIGEST_BYTES]:
                key, kernel = pickle.loads(content[DIGEST_BYTES:])
                return kernel if key == self._key else None
        return None

    def _claim(self) -> bool:
        """Return whether this process may compile a kernel; others wait until `_release` or the end of the process."""
        if self.path in CLAIMS or not self._folder:  # if claimed, its compilation failed before
            return False
        with suppress(OSError, NotImplementedError, ImportError):  # its Timeout is an OSError
            from filelock import FileLock  # slow to import, and not needed when all kernels are in the cache

            self._folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path.with_suffix(".lock"), timeout=COMPILING_S)
            lock.acquire()
            CLAIMS[self.path] = lock
        return self.path in CLAIMS

    def _release(self) -> None:
        if lock := CLAIMS.pop(self.path, None):
            lock.release()


def write(path: Path, content: bytes) -> None:
    """Write a file of the cache so that other processes see the old file or the new one.

    Parts that killed processes have left are removed. This may take away the part of a process that writes the same
    file now, which then gets an OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f"{glob.escape(path.name)}.*.part"):
        left.unlink(missing_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}-{get_ident()}.part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _base() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or _user_cache()) / "fastdigits"


def _user_cache() -> Path:
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"])
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")


@cache
def own_sources_hash() -> str:
    """Return the hash of the sources that this process compiles."""
    return _sources_hash()


def _sources_hash(root: Path = Path(__file__).parents[1]) -> str:
    """Return a hash of the sources in ops/ that are compiled, and of the compiler versions."""
    digest = hashlib.sha256(f"{version('numba')} {version('llvmlite')}".encode())
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if _is_compiled(name):
            digest.update(str(name).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _is_compiled(name: PurePath) -> bool:
    """Return whether a file of ops/ contains code that is compiled, or constants of such code, or compiles it."""
    if name.as_posix() in COMPILED:
        return True
    if len(name.parts) == 1 or name.parts[0] in UNCOMPILED_FOLDERS:
        return False
    return name.name != "reference.py" and name.as_posix() not in UNCOMPILED_FILES


@cache
def _cpu_hash() -> str:
    """Return a hash of the CPU that Numba compiles for."""
    from llvmlite import binding
    from numba import config

    from fastdigits.ops.lanes.vector_unit import cpu_features

    settings: Any = config  # Numba sets its attributes at run time
    names = [settings.CPU_NAME or binding.get_host_cpu_name(), *sorted(cpu_features())]
    return hashlib.sha256(" ".join(names).encode()).hexdigest()[:8]
