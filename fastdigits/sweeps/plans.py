"""Which jobs of a sweep may start next, given the results so far."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from fastdigits.sweeps import load_part
from fastdigits.sweeps.job import Job
from fastdigits.sweeps.spec import Settings, Spec
from fastdigits.sweeps.store import RunRow


class Plan(Protocol):
    """The jobs of a sweep."""

    total: int

    def next(self) -> Job | None:
        """Return the next job, or None if there is none before more results are added."""

    def add(self, job: Job, row: RunRow) -> None:
        """Add the result of a job."""


class ListPlan:
    """Jobs that do not depend on each other's results."""

    def __init__(self, jobs: Iterable[Job]):
        unique = {job.key: job for job in jobs}
        self.total = len(unique)
        self._left = iter(unique.values())

    def next(self) -> Job | None:
        return next(self._left, None)

    def add(self, job: Job, row: RunRow) -> None:
        pass


class SearchPlan:
    """The jobs of a search: each trial is chosen from the results of the trials that are not just before it.

    Parameters
    ----------
    spec : Spec
    resolve : function
        Returns the jobs for the settings of a trial and the thresholds at which they are stopped.
    """

    def __init__(self, spec: Spec, resolve: Callable[[Settings, Sequence[float]], list[Job]]):
        self._spec, self._resolve = spec, resolve
        self.total = spec.trials * spec.runs_per_variant
        self._trials: list[tuple[dict[str, Any], list[str]]] = []  # parameters, and the keys of the runs
        self._rows: dict[str, RunRow] = {}  # by the key of the job
        self._left: list[Job] = []
        self._given: set[str] = set()

    def next(self) -> Job | None:
        while not self._left and self._may_choose():
            self._choose()
        return self._left.pop(0) if self._left else None

    def add(self, job: Job, row: RunRow) -> None:
        self._rows[job.key] = row

    def _may_choose(self) -> bool:
        last_known = len(self._trials) - self._spec.ahead
        enough = last_known < 0 or all(key in self._rows for _, keys in self._trials[: last_known + 1] for key in keys)
        return len(self._trials) < self._spec.trials and enough

    def _choose(self) -> None:
        search = load_part("search")  # importing Optuna takes half a second
        number = len(self._trials)
        known = max(0, number - self._spec.ahead + 1)
        earlier = [
            search.Trial(params, [self._rows[key] for key in keys] if trial < known else [])
            for trial, (params, keys) in enumerate(self._trials)
        ]
        params = search.choose(self._spec.space, number, earlier)
        limits = search.thresholds(earlier) if self._spec.prune else []
        jobs = self._resolve(self._spec.fixed | search.settings_of(self._spec.space, params), limits)
        self._trials.append((params, [job.key for job in jobs]))
        new = [job for job in jobs if job.key not in self._given]
        self.total -= len(jobs) - len(new)  # another trial with the same settings has their results
        self._given.update(job.key for job in new)
        self._left += new
