"""The folder of compiled kernels: shared by processes, repaired when damaged, optional, and named after the sources."""

import inspect
import os
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError
from processes import python_process

from fastdigits.ops.runtime import kernel_cache, numba_setup

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
    """Numba alone gives both kernels the same number, and later each may get the other's."""
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
    """kernel() is a function with nothing compiled, and tmp_path the folder for it."""
    numba_setup.prepare_numba()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))  # Numba reads it every time
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path))

    def kernel():
        @njit(cache=True)
        def double(x):
            return 2 * x

        return double

    return kernel


def hits(function):
    assert function(3) == 6
    assert function(1.5) == 3.0
    return sum(function.stats.cache_hits.values())


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", [lambda content: content[:30], lambda content: b"", lambda content: b"(" * 99])
def test_damaged_kernels_are_compiled_again(suffix, damage, kernel, tmp_path):
    assert hits(kernel()) == 0
    assert hits(kernel()) == 2
    files = list(tmp_path.rglob(f"*{suffix}"))
    assert files
    for file in files:
        file.write_bytes(damage(file.read_bytes()))
    assert hits(kernel()) == 0
    assert hits(kernel()) == 2


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), NotImplementedError("no locks here")])
def test_kernels_that_cannot_be_saved_still_run(error, kernel, monkeypatch):
    def fail(path):
        raise error

    monkeypatch.setattr(kernel_cache, "locked", fail)
    assert hits(kernel()) == 0
    assert hits(kernel()) == 0


def test_no_process_waits_without_locks(kernel, monkeypatch):
    def fail(path, timeout):
        raise NotImplementedError("no locks here")

    monkeypatch.setattr("filelock.FileLock", fail)
    before = dict(kernel_cache.CLAIMS)
    assert hits(kernel()) == 0
    assert before == kernel_cache.CLAIMS


def test_a_failed_compilation_leaves_no_lock(kernel, tmp_path):
    @njit(cache=True)
    def wrong(x):
        return x.nothing

    for _ in range(2):
        with pytest.raises(TypingError):
            wrong(1.0)


def test_the_cache_class_is_replaced_once(monkeypatch):
    from numba.core import caching

    numba_setup.prepare_numba()
    shared = caching.IndexDataCacheFile
    numba_setup.prepare_numba()
    assert caching.IndexDataCacheFile is shared


def test_numba_has_the_private_members_that_the_shared_file_relies_on():
    """`SharedFile` overrides or calls these; a version of Numba that lacks one needs a new `SharedFile`."""
    from numba.core import caching

    numba_setup.prepare_numba()
    numba_file = caching.IndexDataCacheFile.__mro__[2]
    assert (numba_file.__name__, numba_file.__module__) == ("IndexDataCacheFile", "numba.core.caching")
    parameters = {
        "load": ["self", "key"],
        "save": ["self", "key", "data"],
        "_load_index": ["self"],
        "_save_index": ["self", "overloads"],
        "_save_data": ["self", "name", "data"],
        "_data_name": ["self", "number"],
    }
    assert {name: list(inspect.signature(getattr(numba_file, name)).parameters) for name in parameters} == parameters
    file = numba_file("folder", "name", "stamp")
    assert (file._cache_path, file._index_name) == ("folder", "name.nbi")
    assert file._data_name(7) == "name.7.nbc"


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
    """A file may be left out of the hash only if Numba compiles nothing in it."""
    names = [path.relative_to(sources) for path in sources.rglob("*.py")]
    uncompiled = [name for name in names if not kernel_cache._is_compiled(name)]
    assert len(uncompiled) > 20
    decorators = ("njit", "cuda.jit", "@kernel", "bind(", "@parallel", "@serial", "intrinsic")
    assert [name for name in uncompiled if any(word in (sources / name).read_text() for word in decorators)] == []


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
    (older / "dense" / "a.1.nbc").write_bytes(bytes(1000))
    (base / f"{own.name[:-8]}{'2' * 8}").mkdir()  # of these sources, for another CPU
    (base / "kernels-mine").mkdir()
    (base / f"kernels-{'3' * 16}-{'1' * 8}").symlink_to(base)
    (found,) = kernel_cache.outdated()
    assert (found.path, found.kernels) == (older, 1)
    assert found.size_bytes >= 1000


def test_a_folder_that_cannot_be_written(base, monkeypatch):
    base.parent.mkdir(exist_ok=True)
    base.write_text("a file")
    assert kernel_cache.folder() is None
    with pytest.raises(OSError, match="fastdigits"):
        kernel_cache.create_folder()
    assert kernel_cache.outdated() == []


def test_examine_a_folder_while_it_changes(tmp_path):
    np.save(tmp_path / "other.npy", np.zeros(3))
    (tmp_path / "gone.1.nbc").symlink_to(tmp_path / "nowhere")
    assert kernel_cache.examine(tmp_path).kernels == 1
