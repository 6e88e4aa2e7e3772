"""Repeat training over seeds or folds, and retry failed runs with other seeds."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fastdigits.config.training import TrainConfig
from fastdigits.data.splits import stratified_folds
from fastdigits.errors import UserError
from fastdigits.storage.run_statistics import summarize
from fastdigits.storage.weights import SavedNetwork
from fastdigits.training.callbacks import Callback
from fastdigits.training.failure import TrainingFailed


@dataclass(frozen=True, eq=False)
class RunSpec:
    """The specification of a training run.

    Attributes
    ----------
    title : str
    config : TrainConfig
    rows : two int32 arrays, optional
        Indices of the images to train on and to validate on; chosen by the configuration by default.
    tags : dict
        Entries to add to the run's summary, such as {"fold": 1}.
    """

    title: str
    config: TrainConfig
    rows: tuple[np.ndarray, np.ndarray] | None = None
    tags: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class RunResult:
    """The result of a training run.

    Attributes
    ----------
    saved : SavedNetwork
    summary : dict
        The metrics, as JSON types.
    rank : tuple of float
        The larger, the better; see Run.rank.
    problem : str
        Why the run failed even though it has weights: it diverged, or it is no better than chance. "" if it did not.
    """

    saved: SavedNetwork
    summary: dict[str, Any]
    rank: tuple[float, float] | Any
    problem: str = ""


@dataclass(eq=False)
class RunResults:
    """The summaries of all runs that succeeded and that failed, the best run by validation, and the number of failures.

    A run that fails before it has weights is counted, but has no summary.
    """

    summaries: list[dict[str, Any]] = field(default_factory=list)
    failed_summaries: list[dict[str, Any]] = field(default_factory=list)
    best_title: str = ""
    best: RunResult | None = None
    failed: int = 0

    def add(self, title: str, result: RunResult) -> None:
        """Add a run and keep it as the best if no earlier run is as good; any success is better than a failure."""
        (self.failed_summaries if result.problem else self.summaries).append(result.summary)
        self.failed += bool(result.problem)
        if self.best is None or (not result.problem, result.rank) > (not self.best.problem, self.best.rank):
            self.best_title, self.best = title, result

    @property
    def reported(self) -> list[dict[str, Any]]:
        """The summaries of the runs that succeeded; if none did, of those that failed."""
        return self.summaries or self.failed_summaries

    def averages(self) -> dict[str, Any]:
        """Summarize the accuracies and training times of the reported runs, as JSON types."""
        accuracies = [summary["validation_accuracy"] for summary in self.reported]
        return {
            "trained": len(self.summaries),
            "dead_runs": self.failed,
            "validation_accuracy": summarize(accuracies),
            "test_accuracy": summarize([summary["test"]["accuracy"] for summary in self.reported]),
            "train_seconds": summarize([summary["seconds"]["train"] for summary in self.reported]),
        }


def over_seeds(config: TrainConfig, runs: int) -> list[RunSpec]:
    """Return the same training run with `runs` consecutive seeds, from config.seed on."""
    configs = [replace(config, seed=config.seed + number) for number in range(runs)]
    return [RunSpec(f"run {number} of {runs}, seed {one.seed}", one) for number, one in enumerate(configs, 1)]


def over_folds(config: TrainConfig, folds: int, labels: np.ndarray) -> list[RunSpec]:
    """Return the runs of a k-fold cross-validation: each validates on one fold and trains on the others.

    References
    ----------
    Stone (1974), Cross-validatory choice and assessment of statistical predictions.
    """
    parts = stratified_folds(labels, folds, config.seed)
    return [RunSpec(f"fold {n} of {folds}", config, rows, {"fold": n}) for n, rows in enumerate(parts, 1)]


def run_all(
    specs: list[RunSpec],
    run: Callable[[RunSpec], RunResult],
    restarts: int,
    callback: Callback,
    results: RunResults | None = None,
) -> RunResults:
    """Run all specifications and keep the best network by validation, never by test accuracy.

    Parameters
    ----------
    specs : list of RunSpec
    run : function
        Trains and evaluates one network.
    restarts : int
        Maximum number of retries of each failed run, until one succeeds. With n runs their seeds are the run's seed
        plus n, 2n, ..., so that no two runs try the same seed.
    callback : Callback
    results : RunResults, optional
        Filled as the runs finish; it has the finished runs even if an exception is raised.

    Raises
    ------
    TrainingFailed
        If no run has weights.
    """
    results = results or RunResults()
    for number, spec in enumerate(specs):
        for attempt in range(restarts + 1):
            seed = spec.config.seed + attempt * len(specs)
            if attempt:
                callback.on_run_start(f"another try with seed {seed}", number, len(specs))
            elif len(specs) > 1:
                callback.on_run_start(spec.title, number, len(specs))
            problem = _run_once(replace(spec, config=replace(spec.config, seed=seed)), run, results)
            if not problem:
                break
            if len(specs) > 1 or attempt < restarts:
                callback.on_run_failed(UserError(problem))
    if results.best is None:
        raise TrainingFailed(problem, runs=results.failed) if len(specs) == 1 else all_failed(results.failed)
    return results


def all_failed(runs: int) -> TrainingFailed:
    """Return the error of a number of runs, none of which has weights."""
    text = f"All {runs} training runs failed; lower --lr, or choose another --init or --optimizer."
    return TrainingFailed(text, runs=runs)


def _run_once(spec: RunSpec, run: Callable[[RunSpec], RunResult], results: RunResults) -> str:
    """Run a specification, add its result, and return why it failed; "" if it did not."""
    try:
        result = run(spec)
    except TrainingFailed as error:
        results.failed += 1
        return str(error)
    results.add(spec.title, result)
    return result.problem
