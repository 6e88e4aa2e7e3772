"""Repeat a training over seeds or folds on workers, as `training.repeats` does in one process."""

import queue
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from fastdigits.errors import UserError
from fastdigits.sweeps.cluster import Cluster
from fastdigits.sweeps.job import Training
from fastdigits.training.callbacks import Callback
from fastdigits.training.failure import TrainingFailed
from fastdigits.training.repeats import RunResult, RunResults, RunSpec, all_failed

TICK_S = 0.2  # between two looks at whether to stop


class Display(Protocol):
    """Shows a line that changes."""

    def compiling(self, line: str) -> None:
        """Show a line about the compilation in a worker; it is empty when the compilation ends."""

    def progress(self, epochs: int, finished: int) -> None:
        """Show how many epochs are done, and how many runs are finished."""

    def clear(self) -> None:
        """Remove the line, before other lines are printed."""


@dataclass(eq=False)
class Repeats:
    """Runs of the same training on workers.

    Attributes
    ----------
    specs : list of RunSpec
    training : function
        Returns the training of a specification.
    restarts : int
        See `training.repeats.run_all`.
    cluster : Cluster
        Has the images of the training.
    callback : Callback
        Its methods `on_run_start` and `on_run_failed` are called.
    display : Display
    finished : function
        Called with the specification and the result of each run that has weights.
    is_stopping : function
        Returns whether to start no further runs.
    stopping : function
        Called with the number of runs in progress, once, if no further run starts.
    """

    specs: list[RunSpec]
    training: Callable[[RunSpec], Training]
    restarts: int
    cluster: Cluster
    callback: Callback
    display: Display
    finished: Callable[[RunSpec, RunResult], None]
    is_stopping: Callable[[], bool]
    stopping: Callable[[int], Any]

    def __post_init__(self) -> None:
        self._left = [(number, 0) for number in range(len(self.specs))]  # with the number of the attempt
        self._running: dict[str, tuple[int, int, Any]] = {}
        self._epochs: dict[str, int] = {}  # that are done, of the runs in progress
        self._results: dict[tuple[int, int], RunResult | None] = {}  # by run and attempt

    def run(self, results: RunResults) -> None:
        """Run all specifications and add the results in their order, also if it is stopped.

        Raises
        ------
        TrainingFailed
            If no run has weights.
        KeyboardInterrupt
            If it was stopped before the last run.
        """
        is_told = False
        try:
            while self._running or (self._left and not self.is_stopping()):
                while not self.is_stopping() and self._left and len(self._running) < max(1, self.cluster.slots()):
                    self._start(*self._left.pop(0))
                if self.is_stopping() and not is_told:
                    is_told = True
                    self.display.clear()
                    self.stopping(len(self._running))
                self._wait()
        finally:
            for (number, _), result in sorted(self._results.items()):
                if result is None:
                    results.failed += 1
                else:
                    results.add(self.specs[number].title, result)
        if self._left:
            raise KeyboardInterrupt
        if results.best is None:
            raise all_failed(results.failed)

    def _start(self, number: int, attempt: int) -> None:
        spec = self._attempt(number, attempt)
        self.callback.on_run_start(self._title(number, attempt), number, len(self.specs))
        token = f"{number}-{attempt}"
        future = self.cluster.submit(self.training(spec), token)
        self._running[token], self._epochs[token] = (number, attempt, future), 0

    def _attempt(self, number: int, attempt: int) -> RunSpec:
        spec = self.specs[number]
        return replace(spec, config=replace(spec.config, seed=spec.config.seed + attempt * len(self.specs)))

    def _title(self, number: int, attempt: int) -> str:
        """Name a run, among those that run at the same time."""
        spec = self._attempt(number, attempt)
        return f"{spec.title}, another try with seed {spec.config.seed}" if attempt else spec.title

    def _wait(self) -> None:
        self.cluster.check()
        try:
            kind, content = self.cluster.messages.get(timeout=TICK_S)
        except queue.Empty:
            return
        if kind == "done":
            token, _ = content
            del self._epochs[token]
            self.display.clear()
            self._finish(*self._running.pop(token))
        elif "compiling" in content:
            self.display.compiling(content["compiling"])
        elif content["name"] in self._epochs:
            self._epochs[content["name"]] = content["epoch"]
            finished = len(self.specs) - len(self._left) - len(self._running)
            # A finished run counts as all its epochs, also if it has ended early
            self.display.progress(finished * self.specs[0].config.epochs + sum(self._epochs.values()), finished)

    def _finish(self, number: int, attempt: int, future: Any) -> None:
        try:
            result: RunResult | None = self.cluster.result(future)
        except TrainingFailed as error:
            result, problem = None, str(error)
        if result:
            problem = result.problem
            self.finished(self._attempt(number, attempt), result)
        self._results[number, attempt] = result
        if problem:
            self.callback.on_run_failed(UserError(f"{self._title(number, attempt)}: {problem}"))
            if attempt < self.restarts:
                self._left.insert(0, (number, attempt + 1))
