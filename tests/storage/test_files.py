"""Temporary files: killed processes leave some, and the next writer removes them, but none of a living one."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from fastdigits import UserError, files
from fastdigits.files import make_folder, write_atomically

HANGING_WRITER = """
import os, sys
from fastdigits import files
os.fsync = lambda descriptor: (print("writing", flush=True), sys.stdin.read())
files.write_atomically(sys.argv[1], b"new")
"""


def parts(folder):
    return sorted(name for name in os.listdir(folder) if name.endswith(".part"))


@pytest.fixture
def hanging_writer(tmp_path, environment):
    """A process that hangs in the middle of writing the file "a"; it goes on when its stdin is closed."""
    command = [sys.executable, "-c", HANGING_WRITER, str(tmp_path / "a")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        try:
            assert process.stdout.readline() == b"writing\n"
            yield process
        finally:
            process.kill()


def test_no_file_has_the_name_that_stands_for_standard_output(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="No file is written to standard output"):
        write_atomically("-", b"new")
    with pytest.raises(UserError, match="Nothing is written to standard output"):
        make_folder("-")
    write_atomically("./-", b"new")
    assert os.listdir() == ["-"]


@pytest.mark.skipif(sys.platform == "win32", reason="no locks")
def test_the_file_of_a_killed_process_is_removed_by_the_next_writer(tmp_path, hanging_writer):
    hanging_writer.send_signal(signal.SIGKILL)
    hanging_writer.wait()
    assert len(parts(tmp_path)) == 1
    write_atomically(tmp_path / "b", b"other")
    assert os.listdir(tmp_path) == ["b"]


def test_the_file_of_a_living_process_stays(tmp_path, hanging_writer):
    (part,) = parts(tmp_path)
    write_atomically(tmp_path / "b", b"other")
    os.utime(tmp_path / part, (0, 0))  # even if it is old
    write_atomically(tmp_path / "b", b"other")
    assert parts(tmp_path) == [part]
    hanging_writer.stdin.close()
    assert hanging_writer.wait() == 0
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
    assert (tmp_path / "a").read_bytes() == b"new"


@pytest.mark.parametrize("name", [".fastdigits-00000000-0123456789abcdef.part", ".fastdigits-0123456789abcdef.part"])
def test_files_of_other_machines_and_versions_stay_for_a_day(tmp_path, name):
    foreign = tmp_path / name
    for age_s, stays in ((0, True), (files.ABANDONED_S - 3600, True), (files.ABANDONED_S + 3600, False)):
        foreign.write_bytes(b"half")
        os.utime(foreign, (time.time() - age_s,) * 2)
        write_atomically(tmp_path / "b", b"other")
        assert foreign.exists() == stays


def test_nothing_else_is_removed(tmp_path):
    own = f".fastdigits-{files._machine()}"
    (tmp_path / "target").write_bytes(b"precious")
    (tmp_path / f"{own}-1.part").symlink_to(tmp_path / "target")
    (tmp_path / f"{own}-2.part").mkdir()
    os.mkfifo(tmp_path / f"{own}-3.part")
    for name in (f"{own}-4", "fastdigits.part", f"x{own}-5.part", ".part"):
        (tmp_path / name).write_bytes(b"other")
    before = sorted(os.listdir(tmp_path))
    for path in tmp_path.iterdir():
        os.utime(path, (0, 0), follow_symlinks=False)
    write_atomically(tmp_path / "b", b"new")
    assert sorted(os.listdir(tmp_path)) == sorted([*before, "b"])


def test_without_locks_nothing_is_removed_and_files_are_written(tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError(95, "Operation not supported")

    abandoned = tmp_path / f".fastdigits-{files._machine()}-1.part"
    abandoned.write_bytes(b"half")
    monkeypatch.setattr("fcntl.flock", unsupported)
    write_atomically(tmp_path / "b", b"new")
    assert sorted(os.listdir(tmp_path)) == [abandoned.name, "b"]


def test_a_file_that_is_taken_for_abandoned_at_its_creation_is_created_again(tmp_path, monkeypatch):
    """Another process may look between the creation of a file and its lock."""
    locks = []

    def lock(descriptor, operation):
        locks.append(descriptor)
        if len(locks) == 1:
            raise BlockingIOError
        if len(locks) == 2:
            os.unlink(tmp_path / parts(tmp_path)[0])

    monkeypatch.setattr("fcntl.flock", lock)
    write_atomically(tmp_path / "b", b"new")
    assert len(locks) == 3
    assert (tmp_path / "b").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["b"]


def test_threads_that_write_into_one_folder_do_not_remove_each_others_files(tmp_path):
    failures = []

    def write(number):
        try:
            for turn in range(30):
                write_atomically(tmp_path / f"{number % 3}", b"%d %d" % (number, turn))
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert sorted(os.listdir(tmp_path)) == ["0", "1", "2"]
