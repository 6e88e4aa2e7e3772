"""Workers that are processes on this machine.

Each has a thread in this process, which gives it tasks and replaces it if it is killed. They need no Dask, so that they
start as soon as a single training does, and leave the cores to the trainings.
"""

import multiprocessing
import os
import pickle
import queue
import signal
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from fastdigits import ops
from fastdigits.data import DigitSet
from fastdigits.errors import UserError
from fastdigits.ops.runtime import numba_setup
from fastdigits.sweeps.cluster import Cluster, Task, killed

ATTEMPTS = 4  # at a task that kills its workers
CLOSE_S = 5.0  # longest wait for the end of a process
# Libraries such as OpenBLAS would start a thread for each core in every worker
THREADS_OF_LIBRARIES = ("MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
TO_STOP = {getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)}
IMAGES, TASK = "images", "task"  # messages to a worker
READY, EVENT, RESULT, ERROR = "ready", "event", "result", "error"  # and from it


def check_workers(workers: int | None, threads: int) -> int:
    """Return the number of workers, by default one for each core or, with several threads, for each group of cores.

    Raises
    ------
    UserError
        If they would need more cores than this machine has.
    SystemExit
        If this process is itself a worker, which imports a script that starts workers; `Processes` explains it.
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


@contextmanager
def local(workers: int, threads: int, device: str) -> Iterator["Processes"]:
    """Start processes with a number of threads each, and end them after the block, whatever they do.

    Parameters
    ----------
    workers, threads : int
    device : str
        The device that the first tasks need, which the processes load meanwhile, or "auto".

    Raises
    ------
    UserError
        If they do not start. If the script that starts them is to blame, the result of the first task says so.
    """
    processes = Processes(threads, device)
    with _variables_for_workers():
        try:
            with _signals_blocked():
                processes.start(workers)
            yield processes
        finally:
            processes.close()


class Processes(Cluster):
    """Processes that run tasks.

    Parameters
    ----------
    threads, device
        See `local`.
    """

    def __init__(self, threads: int, device: str):
        super().__init__()
        self.threads, self.device = threads, device
        self.sets: dict[str, DigitSet] = {}
        self.tasks: queue.SimpleQueue[tuple[Task, str, Future] | None] = queue.SimpleQueue()
        self._workers: list[_Worker] = []

    def start(self, workers: int) -> None:
        """Start a number of processes."""
        for _ in range(workers):
            worker = _Worker(self)
            self._workers.append(worker)
            worker.start_process()
            worker.start()

    def send(self, data: str, digits: DigitSet) -> None:
        """Keep images, which a worker gets with the first task that needs them."""
        self.sets[data] = digits

    def submit(self, task: Task, token: str) -> Future:
        future: Future = Future()
        self.tasks.put((task, token, future))
        return future

    def result(self, future: Future) -> Any:
        return future.result()

    def slots(self) -> int:
        return len(self._workers)

    def check(self) -> None:
        """Do nothing: processes that end are replaced."""

    def close(self) -> None:
        """Kill the processes: what they write, such as kernels, is complete or not there."""
        for worker in self._workers:
            worker.kill()
            self.tasks.put(None)
        for worker in self._workers:
            if worker.is_alive():
                worker.join(CLOSE_S)


class _Worker(threading.Thread):
    """A process, and the thread that gives it tasks."""

    def __init__(self, processes: Processes):
        super().__init__(daemon=True)
        self._processes = processes
        self._process: Any = None
        self._connection: Connection | Any = None
        self._is_ready = self._is_closed = False
        self._known: set[str] = set()  # the images that the process has
        self._lock = threading.Lock()

    def start_process(self) -> None:
        """Start a process, unless this worker has been killed; raise UserError if the system does not allow it."""
        context = multiprocessing.get_context("spawn")
        with self._lock:
            if self._is_closed:
                return
            self._is_ready, self._known = False, set()
            try:
                self._connection, other = context.Pipe()
                with other:
                    arguments = other, self._processes.threads, self._processes.device
                    process = context.Process(target=_serve, args=arguments, daemon=True)
                    process.start()
            except OSError as error:
                raise UserError(f"A worker does not start ({error}); start fewer of them.") from error
            self._process = process

    def kill(self) -> None:
        """End the process, and start no other one."""
        with self._lock:
            self._is_closed = True
            if self._process:
                self._process.kill()

    def run(self) -> None:
        while call := self._processes.tasks.get():
            task, token, future = call
            try:
                future.set_result(self._result(task, token))
            except Exception as error:
                future.set_exception(error)
            self._processes.messages.put(("done", (token, future)))

    def _result(self, task: Task, token: str) -> Any:
        """Return what a task returns, or raise what it raises; run it again if its process is killed."""
        for _ in range(ATTEMPTS):
            try:
                kind, content = self._answer(task, token)
            except (EOFError, OSError):
                self._check_started()
                self.start_process()
                continue
            if kind == ERROR:
                raise content
            return content
        raise killed(ATTEMPTS)

    def _answer(self, task: Task, token: str) -> tuple[str, Any]:
        """Return RESULT or ERROR, and what a task returns or raises; raise EOFError or OSError if its process ends."""
        connection = self._connection
        if not self._is_ready:
            connection.recv()
            self._is_ready = True
        if task.data not in self._known:
            connection.send((IMAGES, (task.data, self._processes.sets[task.data])))
            self._known.add(task.data)
        connection.send((TASK, task))
        while True:
            kind, content = connection.recv()
            if kind != EVENT:
                return kind, content
            self._processes.messages.put(("event", content | {"name": token}))

    def _check_started(self) -> None:
        """Raise UserError if the process that has ended has not been killed, but has failed to start."""
        self._process.join(CLOSE_S)
        self._process.kill()
        if not self._is_ready and (self._process.exitcode or 0) > 0:
            raise UserError(
                "The workers did not start; a script must start them below 'if __name__ == \"__main__\":', because "
                "each worker imports it."
            )


def _serve(connection: Connection, threads: int, device: str) -> None:
    """Run the tasks that come by a connection, one after the other. This is what a process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Windows cannot block it
    os.environ.setdefault("NUMBA_NUM_THREADS", str(threads))
    messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(connection, messages), daemon=True).start()
    sets: dict[str, DigitSet] = {}

    def report(event: dict[str, Any]) -> None:
        connection.send((EVENT, event))

    with suppress(OSError):  # the other process has ended
        connection.send((READY, None))
        with suppress(UserError):  # which a task that needs the device raises, too
            ops.load(ops.choose_device()[0] if device == "auto" else device, threads)
        while True:
            try:
                kind, content = pickle.loads(messages.get())
                if kind == IMAGES:
                    name, sets[name] = content
                    continue
                answer = pickle.dumps((RESULT, content.run(sets[content.data], threads, report)))
            except Exception as error:
                answer = pickle.dumps((ERROR, _portable(error)))
            connection.send_bytes(answer)


def _receive(connection: Connection, messages: "queue.SimpleQueue[bytes]") -> None:
    """Receive messages, and end the process when there can be no more: the process that has started it has ended."""
    try:
        while True:
            messages.put(connection.recv_bytes())
    except (EOFError, OSError):
        os._exit(1)  # in the middle of a training, too


def _portable(error: Exception) -> Exception:
    """Return an error, with its traceback unless it is for users, that another process can read."""
    if not isinstance(error, UserError):
        error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return UserError(str(error)) if isinstance(error, UserError) else RuntimeError(*error.__notes__)
    return error


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Block the signals to stop, also in the threads and processes that the block starts, and those that these start.

    Ctrl-C in the terminal reaches workers, too, even those that are just being started.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # what starts it first unblocks SIGINT and SIGTERM for its thread
    before = signal.pthread_sigmask(signal.SIG_BLOCK, TO_STOP)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _variables_for_workers() -> Iterator[None]:
    """Set variables for the processes that start in the block, unless the user has set them."""
    new = [name for name in THREADS_OF_LIBRARIES if name not in os.environ]
    os.environ.update(dict.fromkeys(new, "1"))
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)
