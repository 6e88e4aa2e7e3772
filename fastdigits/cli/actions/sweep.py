"""Run `fastdigits sweep` and `fastdigits.sweep`: plan the runs, start the workers, and show the progress."""

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import click

from fastdigits.cli.actions.sweep_jobs import Jobs
from fastdigits.cli.terminal import interrupt
from fastdigits.cli.terminal.names import printable
from fastdigits.cli.terminal.sweep_lines import SweepLines
from fastdigits.errors import UserError
from fastdigits.files import StrPath, check_writable, make_folder
from fastdigits.plots.text import setting_text
from fastdigits.sweeps import load_part, processes
from fastdigits.sweeps import spec as descriptions
from fastdigits.sweeps.cluster import Cluster
from fastdigits.sweeps.job import Job
from fastdigits.sweeps.plans import ListPlan, Plan, SearchPlan
from fastdigits.sweeps.runner import Runner
from fastdigits.sweeps.spec import Spec
from fastdigits.sweeps.store import DONE, FAILED, PRUNED, RunRow, Store, check_place, rank, variants, varying


def run_command(values: dict[str, Any]) -> None:
    """Run a sweep with the options of the command line."""
    Session(values).run()


def sweep(
    spec: StrPath | Mapping[str, Any],
    store: StrPath = "sweep.db",
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    resume: bool = False,
    weights: StrPath | None = None,
    as_frame: bool = False,
    verbose: int = 1,
) -> Any:
    """Train with many settings on several processes or machines, and store the result of every run.

    The test images are not read: compare the runs by their validation images. A script must call this below
    `if __name__ == "__main__":`, because the processes import the script. A search and a scheduler need the extra
    `sweep`.

    Parameters
    ----------
    spec : path or dict
        A TOML file as in docs/sweeps.md, or its content.
    store : path
        SQLite file for the results, to which several sweeps may write.
    workers : int, optional
        Number of processes on this machine; by default one for each core.
    scheduler : str, optional
        Address of a Dask scheduler whose workers are used instead, such as "tcp://127.0.0.1:8786".
    resume : bool
        Whether to leave out the runs that the store has already.
    weights : path, optional
        Folder to save the weights of every run to.
    as_frame : bool
        Whether to return a pandas DataFrame with a column for each setting.
    verbose : int
        0 for silence, 1 for a line for each run.

    Returns
    -------
    list of dict, or pandas.DataFrame
        The runs of the sweep; see `fastdigits.sweeps.store.RunRow`.

    Raises
    ------
    UserError
        If the description, an option, the store or the scheduler cannot be used.
    """
    if workers and scheduler is not None:
        raise UserError("workers are processes on this machine, and scheduler has others; leave one of them out.")
    described = descriptions.parse(dict(spec)) if isinstance(spec, Mapping) else descriptions.read(spec)
    running = Sweep(described, store, workers, scheduler, resume, weights)
    running.run(click.echo if verbose else lambda line: None, lambda: False)
    if as_frame:
        return load_part("frames").frame(running.finished)
    return [row.to_dict() for row in running.finished]


@dataclass
class Sweep:
    """A sweep; see `sweep` for the parameters.

    Attributes
    ----------
    rows : dict
        The results so far by the key of the job, in the order of the plan; None for runs in progress.
    total : int
        Number of runs.
    stored : int
        Number of runs that this sweep has added to the store.
    """

    spec: Spec
    store: StrPath
    workers: int | None = None
    scheduler: str | None = None
    resume: bool = False
    weights: StrPath | None = None
    rows: dict[str, RunRow | None] = field(default_factory=dict)
    total: int = 0

    @property
    def finished(self) -> list[RunRow]:
        """The rows of the runs that have ended."""
        return [row for row in self.rows.values() if row]

    def run(
        self,
        say: Callable[[str], Any],
        is_stopping: Callable[[], bool],
        make_view: Callable[[int], AbstractContextManager[SweepLines]] | None = None,
    ) -> bool:
        """Run the trainings; return False if it was stopped before the last one ended.

        Parameters
        ----------
        say : function
            Prints a line.
        is_stopping : function
            Returns whether to start no further runs.
        make_view : function, optional
            Returns what shows the progress, given the number of runs; by default lines.
        """
        jobs = Jobs(self.spec, keep_weights=self.weights is not None)
        checked = [job for settings in self.spec.examples() for job in jobs.of(settings)]
        threads = max(job.training.threads or 1 for job in checked)
        workers = 0 if self.scheduler is not None else processes.check_workers(self.workers, threads)
        for warning in jobs.warnings:
            click.echo(f"Warning: {warning}", err=True)
        folder = self._weights_folder()

        def plan() -> Plan:
            return SearchPlan(self.spec, jobs.of) if self.spec.kind == "search" else ListPlan(checked)

        first = [*iter(plan().next, None)]  # all, or the first trials of a search
        known = self._known(first)
        self.total = plan().total
        say(f"{_count(self.total, 'run')}, {len(known) or 'none'} of them in {printable(str(self.store))}")
        if self.spec.kind != "search" and len(known) == len(first):
            self.rows = {job.key: known[job.key] for job in first}
            return True
        if self.scheduler is not None:
            say(f"workers of {self.scheduler}")
            started: AbstractContextManager[Cluster] = load_part("dask_cluster").connected(self.scheduler)
        else:
            say(f"{_count(workers, 'worker')} with {_count(threads, 'thread')} each on this machine")
            started = processes.local(min(workers, self.total), threads, checked[0].training.device)
        view = (make_view or (lambda total: SweepLines(say, total)))(self.total)
        with started as cluster, Store(self.store, create=True) as store, view as shown:
            runner = Runner(plan(), store, cluster, jobs.sets, shown, is_stopping, folder)
            self.rows = runner.rows
            complete = runner.run()
            self.total = runner.plan.total
        return complete

    def _weights_folder(self) -> Path | None:
        if self.weights is None:
            return None
        folder = Path(self.weights)
        make_folder(folder)
        check_writable(folder / "weights.h5")
        return folder

    def _known(self, jobs: list[Job]) -> dict[str, RunRow]:
        """Return the rows that the store has for jobs, by the key of the job; create no store.

        Raises
        ------
        UserError
            If there are some and they are not to be left out, or the store cannot be used.
        """
        if not os.path.exists(self.store):
            check_place(self.store)
            return {}
        with Store(self.store, create=True) as store:  # it may be an empty file
            rows = {row.key: row for row in store.rows()}
        found = {job.key: rows.get(job.key) or rows.get(job.pruned_key) for job in jobs}
        known = {key: row for key, row in found.items() if row}
        if known and not self.resume:
            raise UserError(
                f"{self.store} has {_count(len(known), 'run')} of this sweep already; give --resume to run only the "
                "others, or choose another --store."
            )
        return known


class Session:
    """The command: `values` are the options of the command line."""

    def __init__(self, values: dict[str, Any]):
        self.values = values
        if values["workers"] and values["scheduler"] is not None:
            raise click.UsageError(
                "--workers are processes on this machine, and --scheduler has others; leave one out."
            )
        path = values["spec"]
        store = values["store"] or f"{os.path.splitext(os.path.basename(path))[0]}.db"
        names = ("workers", "scheduler", "resume")
        described = descriptions.read(path)
        self.sweep = Sweep(described, store, **{name: values[name] for name in names}, weights=values["weights_folder"])

    def say(self, line: str) -> None:
        """Print a line on stdout, or on stderr with --json."""
        click.echo(printable(line), err=self.values["as_json"])

    def run(self) -> None:
        """Run the sweep and print the best run; after a signal or an error, say how to go on."""
        with interrupt.deferrable():
            interrupt.defer()
            try:
                complete = self.sweep.run(self.say, interrupt.received, self._view)
            except UserError:
                self._say_how_to_resume()
                raise
            if not complete:
                self._say_how_to_resume()
                interrupt.check()
        rows = self.sweep.finished
        if self.values["as_json"]:
            counts = {status: sum(row.status == status for row in rows) for status in (DONE, FAILED, PRUNED)}
            content = {"store": str(self.sweep.store), **counts, "runs": [row.to_dict() for row in rows]}
            click.echo(json.dumps(content))
        else:
            for line in summary(rows):
                self.say(line)
            self.say(f"to rank them: {shlex.join(['fastdigits', 'sweep', 'results', str(self.sweep.store)])}")
        if rows and all(row.status == FAILED for row in rows):
            raise UserError("All runs failed; lower lr, or choose another init or optimizer.")

    def _view(self, total: int) -> SweepLines:
        progress = self.values["progress"]
        if progress is None:
            progress = sys.stderr.isatty() and (self.values["as_json"] or sys.stdout.isatty())
        if not progress:
            return SweepLines(self.say, total)
        from fastdigits.cli.terminal.sweep_table import SweepTable  # importing rich takes 0.1 s

        return SweepTable(total)

    def _say_how_to_resume(self) -> None:
        done = len(self.sweep.finished)
        if not done:
            return
        words = ["fastdigits", "sweep", self.values["spec"], "--store", str(self.sweep.store), "--resume"]
        for option, name in (("--workers", "workers"), ("--scheduler", "scheduler"), ("--weights", "weights_folder")):
            if self.values[name]:
                words += [option, str(self.values[name])]
        self.say(f"{done} of {self.sweep.total} runs are stored; to go on: {shlex.join(words)}")


def summary(rows: list[RunRow]) -> Iterator[str]:
    """Yield lines about the number of runs and the best settings by validation."""
    counts = [(status, sum(row.status == status for row in rows)) for status in (DONE, FAILED, PRUNED)]
    yield ", ".join(f"{count} {status}" for status, count in counts if count)
    for group in list(variants(rows).values())[:1]:
        settings = [f"{name} {setting_text(group[0].settings.get(name))}" for name in varying(rows)]
        mean = fmean(rank(row)[0] for row in group)
        yield f"best by validation: {', '.join(settings) or group[0].model}: {mean:.2%} in {_count(len(group), 'run')}"


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"
