"""The folder of compiled kernels: shared by processes, repaired when damaged, optional, and named after the sources."""

import errno
import inspect
import os
import re
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError
from processes import python_process

from fastdigits.ops.runtime import kernel_cache
from fastdigits.ops.runtime.numba_cache import KernelCache, cached

RACE = Path(__file__).with_name("cache_race.py")


@pytest.fixture
def start(tmp_path):
    """start(axes, processes) starts cache_race.py on one fresh folder."""
    kernels, meeting = tmp_path / "kernels", tmp_path / "meeting"
    kernels.mkdir()
    meeting.mkdir()
    root = Path(kernel_cache.__file__).parents[3]
    variables = os.environ | {"NUMBA_CACHE_DIR": str(kernels), "PYTHONPATH": str(root)}

    with ExitStack() as running:

        def start(axes, processes):
            command = RACE, axes, meeting, processes
            return running.enter_context(python_process(*command, env=variables, stdout=subprocess.PIPE, text=True))

        yield start


def test_processes_that_compile_at_once_share_the_folder(start):
    """Numba's own cache gives both kernels the same number, and later each may get the other's."""
    racers = [start(axes, processes=2) for axes in (1, 2)]
    assert [racer.communicate(timeout=120)[0].split()[:2] for racer in racers] == [["1", "0"], ["2", "0"]]
    later = [start(axes, processes=0).communicate(timeout=120)[0].split() for axes in (1, 2)]
    assert later == [["1", "1", "False"], ["2", "1", "False"]]  # right, from the folder, and without any lock


def test_a_kernel_is_compiled_by_one_process_and_the_others_wait(start):
    racers = [start(axes=1, processes=2) for _ in range(2)]  # the first one to save waits for another, in vain
    found = [racer.communicate(timeout=120)[0].split()[:2] for racer in racers]
    assert sorted(found) == [["1", "0"], ["1", "1"]]


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """kernel() is a function with nothing compiled, and tmp_path / "kernels" the folder for it."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "kernels"))

    def kernel():
        @cached
        @njit
        def double(x):
            return 2 * x

        return double

    return kernel


def hits(function):
    assert function(3) == 6
    assert function(1.5) == 3.0
    return sum(function.stats.cache_hits.values())


def flipped(content, at):
    """The bytes with one bit changed."""
    changed = bytearray(content)
    changed[at] ^= 4
    return bytes(changed)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:30],
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: b"(" * 99,
        lambda content: bytes(len(content)),
        lambda content: content[: len(content) // 2] + bytes(len(content) - len(content) // 2),
        lambda content: flipped(content, 0),
        lambda content: flipped(content, len(content) // 3),  # the machine code lies in the middle
        lambda content: flipped(content, len(content) // 2),
        lambda content: flipped(content, -1),
        lambda content: content + b"more",
    ],
)
def test_damaged_kernels_are_compiled_again_and_repaired(damage, kernel, tmp_path):
    assert hits(kernel()) == 0
    assert hits(kernel()) == 2
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.kernel")}
    assert len(before) == 2
    for file, content in before.items():
        file.write_bytes(damage(content))
    assert hits(kernel()) == 0
    assert hits(kernel()) == 2


def test_functions_that_differ_only_in_a_constant_have_kernels_of_their_own(kernel):
    def one():
        @cached
        @njit
        def number():
            return 1

        return number

    def two():
        @cached
        @njit
        def number():
            return 2

        return number

    assert [one()(), two()(), one()()] == [1, 2, 1]


def test_a_kernel_in_the_file_of_another_one_is_not_run(kernel, tmp_path):
    hits(kernel())
    first, second = tmp_path.rglob("*.kernel")
    first.write_bytes(second.read_bytes())
    assert hits(kernel()) == 1
    assert hits(kernel()) == 2


def test_a_file_that_cannot_be_read_is_compiled_for_but_never_run(kernel, tmp_path, monkeypatch):
    hits(kernel())
    with monkeypatch.context() as broken:
        broken.setattr(Path, "read_bytes", lambda self: (_ for _ in ()).throw(OSError(errno.EIO, "broken disk")))
        assert hits(kernel()) == 0
    assert hits(kernel()) == 2


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), PermissionError("read-only")])
def test_kernels_that_cannot_be_saved_still_run(error, kernel, monkeypatch, tmp_path):
    def fail(path, content):
        raise error

    monkeypatch.setattr(kernel_cache, "write", fail)
    assert hits(kernel()) == 0
    assert hits(kernel()) == 0
    assert not list(tmp_path.rglob("*.kernel"))


def test_a_disk_that_is_full_in_the_middle_of_a_file(kernel, monkeypatch, tmp_path):
    def half(self, content):
        with open(self, "wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(Path, "write_bytes", half)
        assert hits(kernel()) == 0
    assert not [file for file in tmp_path.rglob("*.*") if file.suffix != ".lock"]
    assert kernel_cache.missing() == 2
    assert hits(kernel()) == 0
    assert kernel_cache.missing() == 0
    assert hits(kernel()) == 2


def test_parts_of_killed_processes_are_removed_when_the_kernel_is_compiled_again(kernel, tmp_path):
    hits(kernel())
    for file in list(tmp_path.rglob("*.kernel")):
        file.rename(f"{file}.123-456.part")
    assert hits(kernel()) == 0
    assert not list(tmp_path.rglob("*.part"))


def test_there_may_be_no_folder(kernel, monkeypatch):
    monkeypatch.setattr(kernel_cache, "folder", lambda: None)
    assert hits(kernel()) == 0
    assert hits(kernel()) == 0
    assert not kernel_cache.is_writable()
    assert kernel_cache.current() is None


def test_warm_kernels_in_a_folder_that_cannot_be_written_are_used(kernel, monkeypatch):
    """As in a container: nothing is written, locked or compiled."""
    hits(kernel())

    def fail(*arguments, **named):
        raise OSError(errno.EROFS, "Read-only file system")

    for owner, name in ((Path, "mkdir"), (Path, "write_bytes"), (os, "replace"), (kernel_cache.KernelFile, "_claim")):
        monkeypatch.setattr(owner, name, fail)
    assert hits(kernel()) == 2


def test_no_process_waits_without_locks(kernel, monkeypatch):
    def fail(path, timeout):
        raise NotImplementedError("no locks here")

    monkeypatch.setattr("filelock.FileLock", fail)
    before = dict(kernel_cache.CLAIMS)
    assert hits(kernel()) == 0
    assert before == kernel_cache.CLAIMS


def test_a_failed_compilation_can_be_tried_again(kernel):
    @cached
    @njit
    def wrong(x):
        return x.nothing

    for _ in range(2):
        with pytest.raises(TypingError):
            wrong(1.0)


def test_changed_sources_have_other_kernels_also_in_a_folder_of_the_user(kernel, monkeypatch):
    hits(kernel())
    monkeypatch.setattr(kernel_cache, "own_sources_hash", lambda: "0" * 16)
    assert hits(kernel()) == 0


def test_the_caches_of_other_packages_are_left_alone():
    from numba.core import caching

    assert KernelCache is not caching.FunctionCache
    assert caching.IndexDataCacheFile.__module__ == "numba.core.caching"


def test_numba_has_the_private_members_that_the_kernel_cache_relies_on():
    """`KernelCache` replaces or inherits these; a version of Numba that lacks one needs a new `KernelCache`."""
    from numba.core import caching, dispatcher

    parameters = {
        (caching.FunctionCache, "__init__"): ["self", "py_func"],
        (caching.FunctionCache, "load_overload"): ["self", "sig", "target_context"],
        (caching.FunctionCache, "save_overload"): ["self", "sig", "data"],
        (caching.IndexDataCacheFile, "load"): ["self", "key"],
        (caching.IndexDataCacheFile, "save"): ["self", "key", "data"],
        (caching.UserProvidedCacheLocator, "__init__"): ["self", "py_func", "py_file"],
        (caching.UserProvidedCacheLocator, "from_function"): ["py_func", "py_file"],
        (caching.UserProvidedCacheLocator, "get_cache_path"): ["self"],
        (caching.UserProvidedCacheLocator, "ensure_cache_path"): ["self"],
    }
    found = {(owner, name): list(inspect.signature(getattr(owner, name)).parameters) for owner, name in parameters}
    assert found == parameters
    assert isinstance(caching.FunctionCache._impl_class._locator_classes, list)
    assert isinstance(njit(lambda x: x)._cache, caching.NullCache)
    assert "self._cache.load_overload(" in inspect.getsource(dispatcher.Dispatcher.compile)


@pytest.fixture
def sources(tmp_path):
    """A copy of the sources in ops/."""
    return Path(shutil.copytree(Path(kernel_cache.__file__).parents[1], tmp_path / "ops"))


@pytest.mark.parametrize(
    "name",
    [
        "conv2d/kernel.py",
        "conv2d/__init__.py",
        "dense/cpu.py",
        "lanes/math.py",
        "variants/winograd/cpu.py",
        "cuda/ptx.py",
    ],
)
def test_an_edit_to_compiled_sources_changes_the_folder(name, sources):
    before = kernel_cache._sources_hash(sources)
    assert before == kernel_cache._sources_hash()
    with open(sources / name, "a") as file:
        file.write("# edited")
    assert kernel_cache._sources_hash(sources) != before


@pytest.mark.parametrize(
    "name",
    [
        "__init__.py",
        "interface.py",
        "runtime/kernel_cache.py",
        "cuda/driver.py",
        "cuda/toolkit.py",
        "conv2d/reference.py",
    ],
)
def test_an_edit_to_other_sources_does_not_change_the_folder(name, sources):
    before = kernel_cache._sources_hash(sources)
    with open(sources / name, "a") as file:
        file.write("# edited")
    assert kernel_cache._sources_hash(sources) == before


def test_the_doctor_is_not_among_the_sources():
    assert "doctor" not in {path.name for path in Path(kernel_cache.__file__).parents[1].iterdir()}


def test_files_without_kernels_import_no_compiler(sources):
    """A file may be left out of the hash only if Numba compiles nothing in it, or what it compiles has its own hash."""
    names = [path.relative_to(sources) for path in sources.rglob("*.py")]
    names = [name for name in names if name.parts[0] != "custom"]
    uncompiled = [name for name in names if not kernel_cache._is_compiled(name)]
    assert len(uncompiled) > 20
    compiled = re.compile(r"njit|cuda\.jit|@kernel|(?<!\.)bind\(|@parallel|@serial|intrinsic")
    assert [name for name in uncompiled if compiled.search((sources / name).read_text())] == []


@pytest.fixture
def base(tmp_path, monkeypatch):
    """An empty folder for caches."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "fastdigits"


def test_folders_of_other_versions_are_outdated(base):
    own = kernel_cache.create_folder()
    assert own == kernel_cache.folder()
    older = base / f"kernels-{'0' * 16}-{'1' * 8}"
    (older / "dense").mkdir(parents=True)
    (older / "dense" / "a.ptx").write_bytes(bytes(1000))
    (base / f"{own.name[:-8]}{'2' * 8}").mkdir()  # of these sources, for another CPU
    (base / "kernels-mine").mkdir()
    (base / f"kernels-{'3' * 16}-{'1' * 8}").symlink_to(base)
    (found,) = kernel_cache.outdated()
    assert (found.path, found.kernels) == (older, 1)
    assert found.size_bytes >= 1000


def test_a_folder_that_cannot_be_written(base, monkeypatch):
    base.parent.mkdir(exist_ok=True)
    base.write_text("a file")
    assert not kernel_cache.is_writable()
    with pytest.raises(OSError, match="fastdigits"):
        kernel_cache.create_folder()
    assert kernel_cache.outdated() == []


def test_examine_a_folder_while_it_changes(tmp_path):
    np.save(tmp_path / "other.npy", np.zeros(3))
    (tmp_path / "gone.kernel").symlink_to(tmp_path / "nowhere")
    assert kernel_cache.examine(tmp_path).kernels == 1
