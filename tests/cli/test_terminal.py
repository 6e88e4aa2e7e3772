"""What is printed on a terminal: file names, and the names of steps."""

import io
import os
import subprocess
import sys

import pytest

from fastdigits.cli.terminal.names import printable
from fastdigits.cli.terminal.progress import run_steps


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("plain \u00e9 \u56fe.png", "plain \u00e9 \u56fe.png"),
        ("10.30\u202fAM [1].png", "10.30\u202fAM [1].png"),  # as macOS names screenshots
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("gnp.\u202egif", r"gnp.\u202egif"),  # would be shown from right to left
        (os.fsdecode(b"caf\xe9"), r"caf\xe9"),
    ],
)
def test_a_name_is_one_line_without_control_characters(name, printed):
    assert printable(name) == printed


def test_brackets_in_the_name_of_a_step_are_no_markup(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    steps = [("scan [1] [red].toml", lambda: 7), ("[/nothing]", lambda: 8)]
    assert list(run_steps(steps)) == [("scan [1] [red].toml", 7), ("[/nothing]", 8)]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell that can close a file")
def test_a_closed_output_is_an_error(environment):
    command = ["sh", "-c", 'exec "$0" -m fastdigits models >&-', sys.executable]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, env=environment, timeout=60)
    assert done.returncode == 1
    assert done.stderr == "Error: The standard output is closed; redirect it to a file or to /dev/null.\n"
