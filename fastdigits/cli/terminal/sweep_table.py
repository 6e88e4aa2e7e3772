"""The live table of a sweep on a terminal: the runs in progress, how many are done, and the best so far."""

import sys
import time
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from fastdigits.cli.terminal.sparklines import duration
from fastdigits.cli.terminal.sweep_lines import SweepLines, outcome, title
from fastdigits.sweeps.job import Job
from fastdigits.sweeps.store import RunRow

REFRESH_S = 0.5
BAR_WIDTH = 20


class SweepTable(SweepLines):
    """Print a line when a run ends, and below them a table of the runs in progress on stderr."""

    def __init__(self, total: int):
        self._console = Console(file=sys.stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)
        super().__init__(self._console.print, total)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._jobs: dict[str, Job] = {}
        self._states: dict[str, str] = {}
        self._next_s = 0.0

    def __enter__(self) -> "SweepTable":
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def started(self, job: Job) -> None:
        super().started(job)
        self._jobs[job.key] = job

    def event(self, job: Job, event: dict[str, Any]) -> None:
        super().event(job, event)
        accuracy = event.get("validation_accuracy")
        if accuracy is not None:
            self._states[job.key] = f"{accuracy:.2%}"
        if "compiling" in event:
            self._states[job.key] = event["compiling"]

    def show_compilation(self, line: str) -> None:
        pass  # the table shows it

    def finished(self, job: Job, row: RunRow, total: int) -> None:
        del self._jobs[job.key]
        self._states.pop(job.key, None)
        super().finished(job, row, total)

    def tick(self) -> None:
        now = time.monotonic()
        if now >= self._next_s:
            self._next_s = now + REFRESH_S
            self._live.update(self._table(now), refresh=True)

    def _table(self, now: float) -> Group:
        progress = self.progress
        table = Table.grid(padding=(0, 2))
        for key, job in self._jobs.items():
            bar = ProgressBar(total=1.0, completed=progress.running[key], width=BAR_WIDTH)
            table.add_row(Text(title(job)), bar, Text(self._states.get(key, ""), style="dim"))
        done, left = progress.known + progress.finished, progress.seconds_left(now)
        bar = ProgressBar(total=progress.total, completed=done + sum(progress.running.values()), width=BAR_WIDTH)
        table.add_row(Text(f"{done} of {progress.total} runs"), bar, Text(f"{duration(left)} left" if left else ""))
        if self.best:
            job, row = self.best
            table.add_row(Text(f"best: {title(job)}"), "", Text(outcome(row)))
        return Group(table)
