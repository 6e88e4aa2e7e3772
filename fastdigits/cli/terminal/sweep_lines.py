"""The progress of a sweep as lines of text."""

import time
from collections.abc import Callable
from typing import Any

from fastdigits.cli.terminal.sparklines import duration
from fastdigits.ops.runtime import compilation
from fastdigits.plots.text import setting_text
from fastdigits.sweeps.job import Job
from fastdigits.sweeps.store import DONE, FAILED, RunRow, rank
from fastdigits.sweeps.view import View

WAITING_LINE_S = 10.0


class SweepProgress:
    """How far a sweep is. The caller passes the time, so that tests need no clock.

    Attributes
    ----------
    total : int
        Number of runs.
    known : int
        Number of runs that the store had already.
    finished : int
        Number of runs that have ended since.
    running : dict
        By key, the fraction of each run in progress that is done.
    """

    def __init__(self, total: int):
        self.total, self.known, self.finished = total, 0, 0
        self.running: dict[str, float] = {}
        self._first_s: float | None = None

    def start(self, now: float, key: str) -> None:
        """Record that a run starts."""
        self._first_s = now if self._first_s is None else self._first_s
        self.running[key] = 0.0

    def finish(self, key: str) -> None:
        """Record that a run has ended."""
        del self.running[key]
        self.finished += 1

    def seconds_left(self, now: float) -> float | None:
        """Estimate the seconds until all runs have ended, given the mean speed so far; None before it is known."""
        done = self.finished + sum(self.running.values())
        if not done or self._first_s is None:
            return None
        return (now - self._first_s) * (self.total - self.known - done) / done


class SweepLines(View):
    """Print a line when a run ends.

    Parameters
    ----------
    say : function
        Prints a line.
    total : int
        Number of runs.
    """

    def __init__(self, say: Callable[[str], Any], total: int):
        self.say, self.progress = say, SweepProgress(total)
        self.best: tuple[Job, RunRow] | None = None
        self._compilation = compilation.Line(say)
        self._waiting_since_s: float | None = None

    def __enter__(self) -> "SweepLines":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def known(self, job: Job, row: RunRow) -> None:
        self.progress.known += 1
        self._compare(job, row)

    def started(self, job: Job) -> None:
        self.progress.start(time.monotonic(), job.key)

    def event(self, job: Job, event: dict[str, Any]) -> None:
        if "epoch" in event:
            self.progress.running[job.key] = event["epoch"] / job.training.config.epochs
        if line := event.get("compiling"):
            self.show_compilation(line)

    def show_compilation(self, line: str) -> None:
        """Show a line about the compilation in a worker."""
        self._compilation(line, False)

    def finished(self, job: Job, row: RunRow, total: int) -> None:
        progress = self.progress
        progress.finish(job.key)
        progress.total = total
        self._compare(job, row)
        left = progress.seconds_left(time.monotonic())
        done = progress.known + progress.finished
        parts = [outcome(row), f"{row.seconds['total']:.1f} s"]
        if left and done < total:
            parts.append(f"{duration(left)} left")
        self.say(f"run {done} of {total}: {title(job)}: {', '.join(parts)}")

    def stopping(self, running: int) -> None:
        self.say(stopping_line(running))

    def waiting(self) -> None:
        now = time.monotonic()
        if self._waiting_since_s is None or now - self._waiting_since_s > WAITING_LINE_S:
            self._waiting_since_s = now
            self.say("waiting for workers; start some with 'dask worker'")

    def _compare(self, job: Job, row: RunRow) -> None:
        if row.status == DONE and (self.best is None or rank(row) > rank(self.best[1])):
            self.best = job, row


def stopping_line(running: int) -> str:
    """Describe what happens after a signal to stop while a number of runs are in progress."""
    ends = "run in progress ends" if running == 1 else f"{running} runs in progress end"
    return f"stopping when the {ends}; a second signal stops at once"


def title(job: Job) -> str:
    """Name a run by the settings in which it differs from others, its seed and its fold."""
    parts = [f"{name} {setting_text(value)}" for name, value in job.varied.items()]
    parts += [f"seed {job.seed}", *([f"fold {job.fold}"] if job.fold else [])]
    return ", ".join(parts)


def outcome(row: RunRow) -> str:
    """Describe the result of a run."""
    if row.status == FAILED:
        return f"failed: {row.problem.rstrip('.')}"
    accuracy = f"validation accuracy {row.validation_accuracy:.2%}"
    return accuracy if row.status == DONE else f"{accuracy} after {len(row.epochs)} epochs, stopped early"
