"""Workers of Dask: processes on this machine, or those of a scheduler that runs already."""

import logging
import multiprocessing
import os
import queue
import secrets
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from typing import Any

import dask
from distributed import Client, Future, LocalCluster
from distributed.scheduler import KilledWorker

from fastdigits import __version__
from fastdigits.data import DigitSet
from fastdigits.errors import UserError
from fastdigits.ops.runtime import numba_setup
from fastdigits.sweeps import worker

CONNECT_S = 10.0
COUNT_S = 1.0  # between two counts of the workers of a scheduler
CLOSE_S = 5.0  # longest wait for workers to end
DASK = {
    # Sampling what workers do takes Python's lock from the training
    "distributed.worker.profile.enabled": False,
    # Dask makes workers return freed memory at once, of which the next training takes as much again: that took 0.3 s of
    # each training of lenet (Zen 3, AVX2, 2026-11)
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
}
Message = tuple[str, Any]  # ("event", dict) or ("done", (token, Future))


def check_workers(workers: int | None, threads: int) -> int:
    """Return the number of workers, by default one for each core or, with several threads, for each group of cores.

    Raises
    ------
    UserError
        If they would need more cores than this machine has.
    SystemExit
        If this process is itself a worker, which imports a script that starts workers; `local` explains it.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # as multiprocessing checks it
        raise SystemExit(1)
    cores = numba_setup.cores()
    chosen = workers or max(1, cores // threads)
    if chosen * threads > cores:
        each = f"{threads} thread{'s' if threads > 1 else ''}"
        raise UserError(
            f"{chosen} workers of {each} need more than the {cores} cores of this machine; give --workers "
            f"{max(1, cores // threads)} or fewer."
        )
    return chosen


class Cluster:
    """Workers, each of which runs one training at a time.

    Parameters
    ----------
    client : Client
    is_local : bool
        Whether the workers are processes that this one has started.
    """

    def __init__(self, client: Client, is_local: bool):
        self.messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._client, self._is_local = client, is_local
        self._topic = f"fastdigits-{secrets.token_hex(8)}"
        self._sent: set[str] = set()
        self._count, self._counted_s = 0, float("-inf")
        client.subscribe_topic(self._topic, lambda event: self.messages.put(("event", event[1])))

    def send(self, data: str, digits: DigitSet) -> None:
        """Send images to all workers that lack them, also to future ones, under a name; see `job.images_name`.

        Raises
        ------
        UserError
            If the workers cannot use them.
        """
        if data in self._sent:
            return
        with self._explained():
            try:
                states = self._client.run(worker.state)
                if versions := {version for version, _ in states.values()} - {__version__}:
                    raise UserError(
                        f"The workers have fastdigits {', '.join(sorted(versions))} instead of {__version__}; install "
                        "the same version."
                    )
                if not states or not all(data in sets for _, sets in states.values()):
                    self._client.register_plugin(worker.Images(digits, data, self._is_local))
            except ImportError as error:
                raise UserError(f"The workers lack a package ({error}); install fastdigits[sweep] for them.") from None
        self._sent.add(data)

    def submit(self, function: Callable, *arguments: Any, token: str) -> Future:
        """Run function(*arguments, topic, token) on a worker; a message tells that it is done."""
        with self._explained():
            key = f"{function.__name__}-{token}-{secrets.token_hex(4)}"
            call = *arguments, self._topic, token
            future = self._client.submit(function, *call, key=key, pure=False)
            future.add_done_callback(lambda done: self.messages.put(("done", (token, done))))
            return future

    def result(self, future: Future) -> Any:
        """Return what the function of a future that is done has returned, or raise what it has raised.

        Raises
        ------
        UserError
            If the scheduler is gone, or workers died again and again.
        """
        with self._explained():
            if future.cancelled():
                raise self._lost()
            return future.result(timeout=CONNECT_S)

    def slots(self) -> int:
        """Return the number of workers, which changes where others start and stop them."""
        if time.monotonic() - self._counted_s > COUNT_S:
            with self._explained():
                self._count, self._counted_s = len(self._client.nthreads()), time.monotonic()
        return self._count

    def check(self) -> None:
        """Raise UserError if the scheduler is gone."""
        if self._client.status != "running":
            raise self._lost()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except KilledWorker as error:
            raise UserError(
                f"A training has killed {error.allowed_failures + 1} workers, one after the other; give them more "
                "memory, or start fewer of them."
            ) from None
        except (OSError, TimeoutError) as error:  # CommClosedError is an OSError
            raise self._lost() from error

    def _lost(self) -> UserError:
        return UserError("The scheduler of the workers is gone; start it again.")


@contextmanager
def local(workers: int, threads: int) -> Iterator[Cluster]:
    """Start processes with a number of threads each on this machine, and end them after the block.

    Raises
    ------
    UserError
        If they do not start.
    """
    with _quiet(), _environment_kept():
        try:
            with _interrupts_blocked():
                cluster = LocalCluster(
                    n_workers=workers,
                    threads_per_worker=threads,
                    processes=True,
                    dashboard_address=None,
                    memory_limit=0,
                    silence_logs=logging.CRITICAL,
                )
        except RuntimeError as error:
            raise UserError(
                f"The workers did not start ({error}); a script must start them below 'if __name__ == \"__main__\":', "
                "because each worker imports it."
            ) from error
        try:
            with _closing(Client(cluster)) as client:
                yield Cluster(client, is_local=True)
        finally:
            with suppress(TimeoutError):
                cluster.close(timeout=CLOSE_S)


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """Use the workers of the scheduler at an address such as "tcp://127.0.0.1:8786".

    Raises
    ------
    UserError
        If no scheduler answers.
    """
    with _quiet():
        try:
            client = Client(address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise UserError(f"No scheduler of Dask answers at {address}; start one with 'dask scheduler'.") from error
        with _closing(client):
            yield Cluster(client, is_local=False)


@contextmanager
def _closing(client: Client) -> Iterator[Client]:
    try:
        yield client
    finally:
        with suppress(TimeoutError, OSError):
            client.close(timeout=CLOSE_S)


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Block SIGINT, also in all threads and processes that the block starts, and in those that these start later.

    A Ctrl-C in the terminal reaches workers, too, even those that are just being started.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows; see worker.Images
        yield
        return
    resource_tracker.ensure_running()  # what starts it first unblocks SIGINT for its thread
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _environment_kept() -> Iterator[None]:
    """Undo what Dask sets in this process for its workers, such as OMP_NUM_THREADS."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Dask: what concerns users, such as a lost scheduler, is said in our messages."""
    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "distributed"]
    levels = {logger: logger.level for logger in map(logging.getLogger, names)}
    for logger in levels:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with dask.config.set(DASK), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)
