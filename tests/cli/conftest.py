"""Fixtures for tests of the command line: a tiny data set, and ways to run commands in an empty folder."""

import os
import signal
import struct
import subprocess
import sys
from functools import partial

import pytest
from click.testing import CliRunner
from processes import python_process

from fastdigits.cli import cli, main
from fastdigits.data import load_digits


@pytest.fixture(scope="session")
def run_python():
    """run_python(*arguments, **options) runs `python ARGUMENTS` to its end and returns a CompletedProcess."""

    def run_python(*arguments, text=True, stdout=subprocess.PIPE, **options):
        with python_process(*arguments, text=text, stdout=stdout, stderr=subprocess.PIPE, **options) as running:
            output, errors = running.communicate()
        return subprocess.CompletedProcess(running.args, running.returncode, output, errors)

    return run_python


@pytest.fixture
def start(tmp_path, environment):
    """`with start(*arguments, **options) as running` runs the command as a process with pipes."""

    def start(*arguments, **options):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        options = pipes | {"cwd": tmp_path, "env": environment} | options
        return python_process("-m", "fastdigits", *arguments, **options)

    return start


@pytest.fixture
def interrupt_after(start):
    """interrupt_after(begin, *arguments, stream) sends Ctrl-C once a line of the stream begins with `begin`.

    It returns (exit code, the rest of stdout, the rest of stderr).
    """

    def interrupt_after(begin, *arguments, stream="stdout"):
        if sys.platform == "win32":
            pytest.skip("Windows sends no SIGINT to one process")
        with start(*arguments) as running:
            for line in getattr(running, stream):
                if line.startswith(begin):
                    break
            running.send_signal(signal.SIGINT)
            output, errors = running.communicate()
        return running.returncode, output, errors

    return interrupt_after


@pytest.fixture(scope="session")
def write_digits():
    """write_digits(folder, train_images, train_labels, test_images, test_labels) writes four IDX files."""

    def write_digits(folder, *arrays):
        folder.mkdir(exist_ok=True)
        names = [f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
        for name, array in zip(names, arrays, strict=True):
            header = struct.pack(f">{array.ndim + 1}I", 0x800 + array.ndim, *array.shape)
            (folder / name).write_bytes(header + array.tobytes())
        return folder

    return write_digits


@pytest.fixture(scope="session")
def tiny(tmp_path_factory, write_digits):
    """A folder with 300 training and 100 test images of MNIST."""
    mnist = load_digits()
    arrays = mnist.train_images[:300], mnist.train_labels[:300], mnist.test_images[:100], mnist.test_labels[:100]
    return write_digits(tmp_path_factory.mktemp("tiny"), *arrays)


@pytest.fixture(scope="session")
def trained(tmp_path_factory, tiny):
    """The weights of a linear network, trained on the tiny set for three epochs."""
    path = tmp_path_factory.mktemp("trained") / "linear.h5"
    arguments = ["train", "--model", "linear", "--epochs", "3", "--data", tiny, "--output", path]
    result = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0
    return path


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    """invoke(*arguments) runs the command inside this process; a UserError is in `exception` of the result."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(cli, list(map(str, arguments)))


@pytest.fixture
def process(tmp_path, environment, run_python):
    """process(*arguments, **options) runs the command as a process to its end."""

    def process(*arguments, **options):
        return run_python("-m", "fastdigits", *arguments, **({"cwd": tmp_path, "env": environment} | options))

    return process


@pytest.fixture
def run_main(tmp_path, monkeypatch, capfd):
    """run_main(*arguments) runs what `fastdigits ARGUMENTS` runs, in this process, and returns a CompletedProcess."""
    monkeypatch.chdir(tmp_path)

    def run_main(*arguments):
        words = ["fastdigits", *(os.fsdecode(word) if isinstance(word, bytes) else str(word) for word in arguments)]
        capfd.readouterr()  # drops what the test has printed
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as stopped:
            sys.exit(main())
        return subprocess.CompletedProcess(words, stopped.value.code or 0, *capfd.readouterr())

    return run_main


@pytest.fixture
def expect_failure(tmp_path):
    """expect_failure(run, exit_code, says, *arguments): one sentence on stderr, and no file changes."""

    def content():
        return {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}

    def expect_failure(run, exit_code, says, *arguments):
        before = content()
        result = run(*arguments)
        assert result.returncode == exit_code, result.stderr
        usage, error, sentence = result.stderr.rpartition("Error: ")
        assert error
        assert says in sentence
        assert sentence.endswith(".\n")
        assert sentence.count("\n") == 1
        assert usage == "" if exit_code == 1 else usage.startswith("Usage: ")
        assert "Traceback" not in result.stderr
        assert content() == before
        return result

    return expect_failure


@pytest.fixture
def fails(expect_failure, run_main):
    """fails(exit_code, says, *arguments): the command, in this process, fails with one sentence and changes no file."""
    return partial(expect_failure, run_main)


@pytest.fixture
def process_fails(expect_failure, process):
    """process_fails(exit_code, says, *arguments): as `fails`, in a process of its own."""
    return partial(expect_failure, process)
