"""The workers of a Dask scheduler that runs already."""

import logging
import secrets
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from distributed import Client, Future
from distributed.comm import resolve_address
from distributed.scheduler import KilledWorker

from fastdigits import __version__
from fastdigits.data import DigitSet
from fastdigits.errors import UserError
from fastdigits.sweeps import dask_worker
from fastdigits.sweeps.cluster import Cluster, Task, killed

CONNECT_S = 10.0
COUNT_S = 1.0  # between two counts of the workers
CLOSE_S = 5.0  # longest wait for the connection to end


@contextmanager
def connected(address: str) -> Iterator["DaskCluster"]:
    """Use the workers of the scheduler at an address such as "tcp://127.0.0.1:8786".

    Raises
    ------
    UserError
        If it is no address, or no scheduler answers.
    """
    with _quiet():
        try:
            resolve_address(address)  # a client that finds out itself prints a traceback
            client = Client(address, timeout=CONNECT_S, set_as_default=False)
        except ValueError:
            raise UserError(
                f"The scheduler {address!r} is no address; give one such as tcp://127.0.0.1:8786, which 'dask "
                "scheduler' shows."
            ) from None
        except (OSError, TimeoutError) as error:
            raise UserError(f"No scheduler of Dask answers at {address}; start one with 'dask scheduler'.") from error
        try:
            yield DaskCluster(client)
        finally:
            with suppress(TimeoutError, OSError):
                client.close(timeout=CLOSE_S)


class DaskCluster(Cluster):
    """Workers of a scheduler, which others may start and stop."""

    def __init__(self, client: Client):
        super().__init__()
        self._client = client
        self._topic = f"fastdigits-{secrets.token_hex(8)}"
        self._sent: set[str] = set()
        self._count, self._counted_s = 0, float("-inf")
        client.subscribe_topic(self._topic, lambda event: self.messages.put(("event", event[1])))

    def send(self, data: str, digits: DigitSet) -> None:
        if data in self._sent:
            return
        with self._explained():
            try:
                states = self._client.run(dask_worker.state)
                if versions := {version for version, _ in states.values()} - {__version__}:
                    raise UserError(
                        f"The workers have fastdigits {', '.join(sorted(versions))} instead of {__version__}; install "
                        "the same version."
                    )
                if not states or not all(data in sets for _, sets in states.values()):
                    self._client.register_plugin(dask_worker.Images(digits, data))
            except ImportError as error:
                raise UserError(f"The workers lack a package ({error}); install fastdigits[sweep] for them.") from None
        self._sent.add(data)

    def submit(self, task: Task, token: str) -> Future:
        with self._explained():
            key = f"fastdigits-{token}-{secrets.token_hex(4)}"
            future = self._client.submit(dask_worker.run, task, self._topic, token, key=key, pure=False)
            future.add_done_callback(lambda done: self.messages.put(("done", (token, done))))
            return future

    def result(self, future: Future) -> Any:
        with self._explained():
            if future.cancelled():
                raise self._lost()
            return future.result(timeout=CONNECT_S)

    def slots(self) -> int:
        if time.monotonic() - self._counted_s > COUNT_S:
            with self._explained():
                self._count, self._counted_s = len(self._client.nthreads()), time.monotonic()
        return self._count

    def check(self) -> None:
        if self._client.status != "running":
            raise self._lost()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except KilledWorker as error:
            raise killed(error.allowed_failures + 1) from None
        except (OSError, TimeoutError) as error:  # CommClosedError is an OSError
            raise self._lost() from error

    def _lost(self) -> UserError:
        return UserError("The scheduler of the workers is gone; start it again.")


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Dask: what concerns users, such as a lost scheduler, is said in our messages."""
    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "distributed"]
    levels = {logger: logger.level for logger in map(logging.getLogger, names)}
    for logger in levels:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)
