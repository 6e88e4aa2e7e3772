"""Several trainings of one network: over seeds, over folds, and anew where one came to nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fastdigits.config.training import TrainConfig
from fastdigits.data.splits import stratified_folds
from fastdigits.storage.run_statistics import summarize
from fastdigits.storage.weights import SavedNetwork
from fastdigits.training.callbacks import Callback
from fastdigits.training.failure import TrainingFailed


@dataclass(frozen=True, eq=False)
class RunSpec:
    """One training: how, and on which rows where that is not left to the configuration; "fold" is among its `tags`."""

    title: str
    config: TrainConfig
    rows: tuple[np.ndarray, np.ndarray] | None = None
    tags: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class RunResult:
    """What came of a task: the network, the figures of its training as plain JSON types, and how good it is.

    `rank` is that of the epoch whose weights are kept, by its validation; None where there is none.
    """

    saved: SavedNetwork
    summary: dict[str, Any]
    rank: tuple[float, float] | None


@dataclass(eq=False)
class RunResults:
    """All tasks that have come to something, the best of them by validation, and how many trainings were dead."""

    summaries: list[dict[str, Any]] = field(default_factory=list)
    best_title: str = ""
    best: RunResult | None = None
    failed: int = 0

    def add(self, title: str, outcome: RunResult) -> None:
        """A task came to something."""
        self.summaries.append(outcome.summary)
        if self.best is None or outcome.rank > self.best.rank:
            self.best_title, self.best = title, outcome

    def averages(self) -> dict[str, Any]:
        """Mean, standard deviation, lowest and highest of what all of them reached, as plain JSON types."""
        accuracies = [summary["validation_accuracy"] for summary in self.summaries]
        return {
            "trained": len(self.summaries),
            "dead_runs": self.failed,
            "validation_accuracy": summarize(accuracies),
            "test_accuracy": summarize([summary["test"]["accuracy"] for summary in self.summaries]),
            "train_seconds": summarize([summary["seconds"]["train"] for summary in self.summaries]),
        }


def over_seeds(config: TrainConfig, runs: int) -> list[RunSpec]:
    """The same training with the seeds S, S + 1, ..."""
    configs = [replace(config, seed=config.seed + number) for number in range(runs)]
    return [RunSpec(f"run {number} of {runs}, seed {one.seed}", one) for number, one in enumerate(configs, 1)]


def over_folds(config: TrainConfig, folds: int, labels: np.ndarray) -> list[RunSpec]:
    """The same training for each of K parts of the images, validated on that part and trained on the others.

    After Stone (1974), Cross-validatory choice and assessment of statistical predictions.
    """
    parts = stratified_folds(labels, folds, config.seed)
    return [RunSpec(f"fold {n} of {folds}", config, rows, {"fold": n}) for n, rows in enumerate(parts, 1)]


def run_all(
    tasks: list[RunSpec],
    attempt: Callable[[RunSpec], RunResult],
    restarts: int,
    callback: Callback,
    done: RunResults | None = None,
) -> RunResults:
    """Do all tasks and keep the best network by validation, never by test.

    Parameters
    ----------
    tasks : list of RunSpec
    attempt : function
        Does one of them.
    restarts : int
        How many other seeds a task may try whose training is dead. They are its own seed and n, 2n, ... for n tasks,
        so that no two tasks try the same one.
    callback : Callback
    done : RunResults, optional
        Holds what came of the tasks that are over, also after an exception.

    Raises
    ------
    TrainingFailed
        If no training came to anything.
    """
    done = done or RunResults()
    for place, task in enumerate(tasks):
        for number in range(restarts + 1):
            seed = task.config.seed + number * len(tasks)
            if number:
                callback.on_run_start(f"another try with seed {seed}", place, len(tasks))
            elif len(tasks) > 1:
                callback.on_run_start(task.title, place, len(tasks))
            try:
                outcome = attempt(replace(task, config=replace(task.config, seed=seed)))
            except TrainingFailed as error:
                done.failed += 1
                if len(tasks) == 1 and number == restarts:
                    raise TrainingFailed(str(error), done.failed) from None
                callback.on_run_failed(error)
            else:
                done.add(task.title, outcome)
                break
    if done.best is None:
        reason = f"All {done.failed} trainings are dead; lower --lr, or choose another --init or --optimizer."
        raise TrainingFailed(reason, done.failed)
    return done
