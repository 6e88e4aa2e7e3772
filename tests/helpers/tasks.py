"""Tasks for workers: they say where they run, raise errors and kill their process."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastdigits.errors import UnknownObject

ERRORS = {"bug": ZeroDivisionError("a bug"), "for users": UnknownObject("layer", "mine")}


@dataclass(frozen=True)
class Look:
    """Report an event, and return the process, its threads, the name of the images and the blocked signals."""

    data: str = "images"

    def run(self, digits, threads, report) -> Any:
        report({"epoch": 1})
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ()) if hasattr(signal, "pthread_sigmask") else set()
        return os.getpid(), threads, digits.name, blocked


@dataclass(frozen=True)
class Fail:
    """Raise an error."""

    error: str
    data: str = "images"

    def run(self, digits, threads, report) -> Any:
        raise ERRORS[self.error]


@dataclass(frozen=True)
class Kill:
    """Kill the process a number of times, which a file counts, and then do what `Look` does."""

    times: int
    file: Path
    data: str = "images"

    def run(self, digits, threads, report) -> Any:
        done = self.file.stat().st_size if self.file.exists() else 0
        if done < self.times:
            self.file.write_bytes(bytes(done + 1))
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        return Look().run(digits, threads, report)
