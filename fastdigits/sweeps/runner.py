"""Run the jobs of a sweep on workers, and store the result of each as it ends."""

import queue
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastdigits.data import DigitSet
from fastdigits.storage import weights
from fastdigits.storage.weights import SavedNetwork
from fastdigits.sweeps.cluster import Cluster
from fastdigits.sweeps.job import Job
from fastdigits.sweeps.plans import Plan
from fastdigits.sweeps.store import DONE, RunRow, Store
from fastdigits.sweeps.view import View

TICK_S = 0.2  # between two looks at whether to stop


class Runner:
    """The execution of a plan.

    Parameters
    ----------
    plan : Plan
    store : Store
    cluster : Cluster
    sets : mapping
        The images by name, for the workers that lack them.
    view : View
    is_stopping : function
        Returns whether to start no further runs.
    weights_folder : Path, optional
        Folder for the weights of the runs that keep them.

    Attributes
    ----------
    rows : dict
        The results so far by the key of the job, in the order of the plan.
    """

    def __init__(
        self,
        plan: Plan,
        store: Store,
        cluster: Cluster,
        sets: Mapping[str, DigitSet],
        view: View,
        is_stopping: Callable[[], bool],
        weights_folder: Path | None = None,
    ):
        self.plan, self.store, self.cluster, self.view = plan, store, cluster, view
        self._sets = sets
        self._is_stopping, self._weights_folder = is_stopping, weights_folder
        self.rows: dict[str, RunRow | None] = {}
        self._running: dict[str, tuple[Job, Any]] = {}
        self._stored = {row.key: row for row in store.rows()}

    def run(self) -> bool:
        """Run all jobs; return False if it was stopped before all were done.

        After a request to stop, the runs in progress end and are stored.

        Raises
        ------
        UserError
            If the store cannot be written, the scheduler is gone or a training cannot run.
        """
        told = False
        while True:
            stopping = self._is_stopping()
            exhausted = stopping or self._fill()
            if not self._running and exhausted:
                return not stopping
            if stopping and not told:
                told = True
                self.view.stopping(len(self._running))
            if not self.cluster.slots():
                self.view.waiting()
            self._handle_messages()
            self.view.tick()
            self.cluster.check()

    def _fill(self) -> bool:
        """Give every worker a job; return whether none is left."""
        while len(self._running) < max(1, self.cluster.slots()):
            job = self.plan.next()
            if job is None:
                return not self._running
            known = self._stored.get(job.key) or self._stored.get(job.pruned_key)
            self.rows[job.key] = known
            if known:
                self.plan.add(job, known)
                self.view.known(job, known)
            else:
                self.cluster.send(job.data, self._sets[job.data])
                self._running[job.key] = job, self.cluster.submit(job, job.key)
                self.view.started(job)
        return False

    def _handle_messages(self) -> None:
        """Wait for messages of workers for a moment, and handle them."""
        try:
            kind, content = self.cluster.messages.get(timeout=TICK_S)
            while True:
                self._handle(kind, content)
                kind, content = self.cluster.messages.get_nowait()
        except queue.Empty:
            pass

    def _handle(self, kind: str, content: Any) -> None:
        if kind == "event" and content["name"] in self._running:
            self.view.event(self._running[content["name"]][0], content)
        if kind == "done" and content[0] in self._running:
            key, future = content
            job, _ = self._running.pop(key)
            self._finish(job, *self.cluster.result(future))

    def _finish(self, job: Job, row: RunRow, network: SavedNetwork | None) -> None:
        if network and self._weights_folder and row.status == DONE:
            path = self._weights_folder.resolve() / f"{row.key[:16]}.h5"
            weights.write(path, network)
            row = replace(row, weights=str(path))
        self.store.add(row)
        self.rows[job.key] = row
        self.plan.add(job, row)
        self.view.finished(job, row, self.plan.total)
