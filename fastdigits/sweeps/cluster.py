"""What runs the tasks of a sweep: processes on this machine, or the workers of a Dask scheduler."""

import queue
from abc import ABC, abstractmethod
from typing import Any, Protocol

from fastdigits.data import DigitSet
from fastdigits.errors import UserError
from fastdigits.sweeps.job import Report

Message = tuple[str, Any]  # ("event", dict) or ("done", (token, future))


class Task(Protocol):
    """What a worker runs, given images and its number of threads; see `job.Training` and `job.Job`."""

    @property
    def data(self) -> str:
        """Name of the images; see `Cluster.send`."""

    def run(self, digits: DigitSet, threads: int, report: Report) -> Any:
        """Run the task and return its result."""


class Cluster(ABC):
    """Workers, each of which runs one task at a time.

    Attributes
    ----------
    messages : queue
        ("event", content) is what a task reports, with its token as the "name", and ("done", (token, future)) says that
        it has ended.
    """

    def __init__(self) -> None:
        self.messages: queue.SimpleQueue[Message] = queue.SimpleQueue()

    @abstractmethod
    def send(self, data: str, digits: DigitSet) -> None:
        """Give images to all workers, also to future ones, under a name; see `job.images_name`.

        Raises
        ------
        UserError
            If the workers cannot use them.
        """

    @abstractmethod
    def submit(self, task: Task, token: str) -> Any:
        """Run a task on a worker and return its future; messages tell how far it is."""

    @abstractmethod
    def result(self, future: Any) -> Any:
        """Return what a task that has ended has returned, or raise what it has raised.

        Raises
        ------
        UserError
            If workers are gone.
        """

    @abstractmethod
    def slots(self) -> int:
        """Return the number of workers."""

    @abstractmethod
    def check(self) -> None:
        """Raise UserError if the workers cannot be reached."""


def killed(workers: int) -> UserError:
    """Return the error of a task that has killed a number of workers."""
    return UserError(
        f"A training has killed {workers} workers, one after the other; give them more memory, or start fewer of them."
    )
