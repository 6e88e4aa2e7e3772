"""What runs in a worker of Dask: it holds the images of a sweep, and runs one training at a time."""

import os
import signal
import threading
from contextlib import suppress
from typing import Any

from distributed import WorkerPlugin, get_worker
from distributed.worker import Worker

from fastdigits import __version__
from fastdigits.data import DigitSet
from fastdigits.storage.weights import SavedNetwork
from fastdigits.sweeps.job import Job, Report, Training
from fastdigits.sweeps.store import RunRow
from fastdigits.training.callbacks import Callback
from fastdigits.training.repeats import RunResult

_ONE_TRAINING = threading.Lock()  # it uses all threads of the worker
_SETS: dict[str, DigitSet] = {}


class Images(WorkerPlugin):
    """Gives every worker the images of a sweep, also one that starts later, such as in the place of a killed one.

    Parameters
    ----------
    digits : DigitSet
    data : str
        A name that depends on the images only.
    is_local : bool
        Whether this process has started the workers, so that Ctrl-C in its terminal reaches them, too.
    """

    idempotent = True

    def __init__(self, digits: DigitSet, data: str, is_local: bool):
        self.digits, self.data, self.is_local = digits, data, is_local
        self.name = f"fastdigits-{data}"

    def setup(self, worker: Worker) -> None:
        """Prepare a worker."""
        _SETS[self.data] = self.digits
        os.environ.setdefault("NUMBA_NUM_THREADS", str(worker.state.nthreads))
        if self.is_local:
            with suppress(ValueError):  # not the main thread
                signal.signal(signal.SIGINT, signal.SIG_IGN)


def state() -> tuple[str, list[str]]:
    """Return the version of fastdigits and the names of the images that this worker has."""
    return __version__, [*_SETS]


def run_job(job: Job, topic: str, name: str) -> tuple[RunRow, SavedNetwork | None]:
    """Run a job of a sweep; events with its name go to a topic."""
    with _ONE_TRAINING:
        return job.run(_SETS[job.training.data], get_worker().state.nthreads, _reporter(topic, name))


def run_training(training: Training, topic: str, name: str) -> RunResult:
    """Train and test a network; raise TrainingFailed if it has no weights."""
    digits, threads = _SETS[training.data], get_worker().state.nthreads
    with _ONE_TRAINING:
        return training.run(digits, threads, Callback(), _reporter(topic, name))


def _reporter(topic: str, name: str) -> Report:
    worker = get_worker()

    def report(event: dict[str, Any]) -> None:
        worker.log_event(topic, event | {"name": name})

    return report
