"""Follow a sweep."""

from typing import Any

from fastdigits.sweeps.job import Job
from fastdigits.sweeps.store import RunRow


class View:
    """Follow a sweep; the methods of this base class do nothing."""

    def known(self, job: Job, row: RunRow) -> None:
        """Called for a run that the store has already."""

    def started(self, job: Job) -> None:
        """Called when a run is sent to a worker."""

    def event(self, job: Job, event: dict[str, Any]) -> None:
        """Called with what a worker reports about a run; see Job.run."""

    def finished(self, job: Job, row: RunRow, total: int) -> None:
        """Called when a run is stored; `total` is the number of runs of the sweep."""

    def stopping(self, running: int) -> None:
        """Called once if no further run starts, because the sweep is to stop."""

    def waiting(self) -> None:
        """Called again and again while there is no worker."""

    def tick(self) -> None:
        """Called several times a second."""
