"""Processes that tests start: Ctrl-C reaches them, none outlives its test, and none runs for ever."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress

TIME_LIMIT_S = 300  # of every process
# Runs `python ARGUMENTS` with the signals enabled that the tests may ignore, as every child inherits that (nohup)
LAUNCHER = (
    "import os, signal, sys; "
    "[signal.signal(number, signal.SIG_DFL) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]; "
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


def python_command(*arguments):
    """Return the command for `python ARGUMENTS` that heeds all signals."""
    launcher = [] if sys.platform == "win32" else ["-c", LAUNCHER]
    return [sys.executable, *launcher, *map(_text_or_bytes, arguments)]


@contextmanager
def python_process(*arguments, **options):
    """Start `python ARGUMENTS` in a process group of its own, and kill the group at the end or at the time limit."""
    running = subprocess.Popen(python_command(*arguments), start_new_session=True, **options)
    limit = threading.Timer(TIME_LIMIT_S, _kill_group, [running])
    limit.start()
    try:
        yield running
    finally:
        limit.cancel()
        _kill_group(running)
        with running:
            pass  # closes the pipes and waits


def _kill_group(running):
    with suppress(ProcessLookupError):
        running.kill() if sys.platform == "win32" else os.killpg(running.pid, signal.SIGKILL)


def _text_or_bytes(argument):
    return argument if isinstance(argument, bytes) else str(argument)
