"""What runs in a worker of Dask: it holds the images of a sweep, and runs one task at a time."""

import os
import threading
from typing import Any

from distributed import WorkerPlugin, get_worker
from distributed.worker import Worker

from fastdigits import __version__
from fastdigits.data import DigitSet
from fastdigits.sweeps.cluster import Task

_ONE_TASK = threading.Lock()  # it uses all threads of the worker
_SETS: dict[str, DigitSet] = {}


class Images(WorkerPlugin):
    """Gives every worker the images of a sweep, also one that starts later, such as in the place of a killed one.

    Parameters
    ----------
    digits : DigitSet
    data : str
        A name that depends on the images only.
    """

    idempotent = True

    def __init__(self, digits: DigitSet, data: str):
        self.digits, self.data = digits, data
        self.name = f"fastdigits-{data}"

    def setup(self, worker: Worker) -> None:
        """Prepare a worker."""
        _SETS[self.data] = self.digits
        os.environ.setdefault("NUMBA_NUM_THREADS", str(worker.state.nthreads))


def state() -> tuple[str, list[str]]:
    """Return the version of fastdigits and the names of the images that this worker has."""
    return __version__, [*_SETS]


def run(task: Task, topic: str, token: str) -> Any:
    """Run a task; what it reports goes to a topic, with its token as the name."""
    worker = get_worker()

    def report(event: dict[str, Any]) -> None:
        worker.log_event(topic, event | {"name": token})

    with _ONE_TASK:
        return task.run(_SETS[task.data], worker.state.nthreads, report)
