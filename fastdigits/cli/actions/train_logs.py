"""Log the runs of `fastdigits train` where --log says."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

from fastdigits.cli.actions.train_plan import Plan
from fastdigits.models import ModelOptions
from fastdigits.storage.history import Epoch
from fastdigits.tracking import FAILED, FINISHED, open_log
from fastdigits.tracking.tracker import RunTracker, status_of
from fastdigits.training.repeats import RunResult, RunSpec


class Logs:
    """The logs of all runs.

    Parameters
    ----------
    targets : list of str
        Such as "csv:runs.csv".
    plan : Plan
    values : dict
        The options of the command line.

    Raises
    ------
    UserError
        If a log cannot be written.
    """

    def __init__(self, targets: Sequence[str], plan: Plan, values: dict[str, Any]):
        self.logs = [open_log(target) for target in dict.fromkeys(targets)]
        self.model, self.settings = plan.model, {"model": plan.model}
        self.warn: Any = None  # set before training
        if not plan.trained and not plan.checkpoints.resumed:  # otherwise the network decides its options
            options = {field.name: values[field.name] for field in fields(ModelOptions)}
            self.settings |= {name: _plain(value) for name, value in options.items() if value is not None}
        self.trackers: list[RunTracker] = []
        self.finished: dict[RunResult, list[RunTracker]] = {}

    @property
    def problems(self) -> list[str]:
        """Why logs are not complete, each reason once."""
        return list(dict.fromkeys(tracker.problem for tracker in self.trackers if tracker.problem))

    @contextmanager
    def following(self, spec: RunSpec, dataset: str) -> Iterator[list[RunTracker]]:
        """Yield the callbacks that log a run, and close the logs if the block raises an exception."""
        trackers = self._new_trackers(spec, dataset)
        try:
            yield trackers
        except BaseException as error:
            for tracker in trackers:
                tracker.end(status_of(error))
            raise

    def add(self, spec: RunSpec, dataset: str, result: RunResult) -> None:
        """Log a run that has ended in another process."""
        facts = {name: result.summary[name] for name in ("device", "parameters")}
        epochs = [Epoch(**epoch) for epoch in result.summary["epochs"]]
        trackers = self._new_trackers(spec, dataset)
        for tracker in trackers:
            tracker.begin(spec.config, facts, epochs)
        self.finish(trackers, result)

    def finish(self, trackers: list[RunTracker], result: RunResult) -> None:
        """Log the result of a run, and close its logs."""
        summary = result.summary
        metrics = {
            "kept_epoch": summary["kept_epoch"],
            "test_accuracy": summary["test"]["accuracy"],
            "test_loss": summary["test"]["loss"],
            "seconds_total": summary["seconds"]["total"],
        }
        for tracker in trackers:
            tracker.end(FAILED if result.problem else FINISHED, metrics)
        self.finished[result] = trackers

    def add_weights(self, result: RunResult, path: str) -> None:
        """Store the weights file of a run where its trackers store files."""
        for tracker in self.finished[result]:
            tracker.add_file(path)

    def _new_trackers(self, spec: RunSpec, dataset: str) -> list[RunTracker]:
        name = "-".join([self.model, *(f"{tag}{value}" for tag, value in spec.tags.items())])
        settings = {**self.settings, "dataset": dataset, **spec.tags}
        trackers = [RunTracker(log, name, settings, self.warn) for log in self.logs]
        self.trackers += trackers
        return trackers


def _plain(value: Any) -> Any:
    return "x".join(map(str, value)) if isinstance(value, tuple) else value
