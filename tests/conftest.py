"""Fixtures of tests of several folders."""

import os
import re
import subprocess
import threading
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from processes import python_command

import fastdigits

START_TIMEOUT_S = 300  # with time to compile kernels
UNTRACED = {"check", "cuda", "nn", "ops"}  # folders of tests that run what other tests run as well


def pytest_collection_modifyitems(items):
    """Measure no coverage in slow tests of kernels and networks: tracing makes Numba's compiler a third slower."""
    for item in items:
        if item.path.parent.name in UNTRACED and item.get_closest_marker("slow"):
            item.add_marker("no_cover")


@pytest.fixture(scope="session")
def environment():
    """The variables with which another process finds the package that is tested here."""
    try:
        distribution("fastdigits")
    except PackageNotFoundError:
        return os.environ | {"PYTHONPATH": str(Path(fastdigits.__file__).parents[1])}
    return dict(os.environ)


@pytest.fixture(scope="session")
def start(tmp_path_factory, environment):
    """start(*arguments) is a context with a running `fastdigits serve`.

    The process has the attributes `port`, `log`, the path of its stderr, and `line`, its first line of output.
    """

    @contextmanager
    def start(*arguments):
        command = python_command("-m", "fastdigits", "serve", *arguments, "--port", "0")
        log = tmp_path_factory.mktemp("server") / "log"
        with log.open("w") as stderr:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment)
        with process:
            watchdog = threading.Timer(START_TIMEOUT_S, process.kill)
            watchdog.start()
            try:
                process.log = log
                process.line = next((line for line in process.stdout if "http" in line), "")
                watchdog.cancel()
                found = re.search(r"http://[\w.]+:(\d+)", process.line)
                assert found, log.read_text()
                process.port = int(found[1])
                yield process
            finally:
                watchdog.cancel()
                process.kill()

    return start
