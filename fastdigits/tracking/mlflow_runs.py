"""Log trainings to MLflow: a server, or a database such as sqlite:///runs.db. It needs the package mlflow.

The experiment is that of the environment variable MLFLOW_EXPERIMENT_NAME, else "fastdigits".
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from fastdigits.errors import UserError
from fastdigits.files import StrPath
from fastdigits.storage.history import Epoch
from fastdigits.tracking import FAILED, FINISHED, INTERRUPTED, METRICS

EXPERIMENT = "fastdigits"
STATUSES = {FINISHED: "FINISHED", FAILED: "FAILED", INTERRUPTED: "KILLED"}
SQLITE = "sqlite:///"
MAX_EPOCHS = 100  # in a request, which may hold 1,000 metrics


class Log:
    """See `tracking.Log`; the place is what MLflow calls a tracking URI."""

    def __init__(self, place: str):
        self.uri = place
        with _explained(place):
            self.client = MlflowClient(tracking_uri=place)
            self.experiment = self._experiment()

    def run(self, name: str, settings: Mapping[str, Any]) -> "MlflowRun":
        return MlflowRun(self, name, settings)

    def _experiment(self) -> str:
        """Return the identity of the experiment, which is created if there is none."""
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
        found = self.client.get_experiment_by_name(name)
        if found:
            return str(found.experiment_id)
        files = None  # as the server decides
        if self.uri.startswith(SQLITE):  # next to the database, instead of in the current folder
            files = (Path(self.uri.removeprefix(SQLITE)).absolute().parent / "mlartifacts").as_uri()
        return str(self.client.create_experiment(name, artifact_location=files))


class MlflowRun:
    """See `tracking.RunLog`."""

    def __init__(self, log: Log, name: str, settings: Mapping[str, Any]):
        self.log, self.name, self.settings = log, name, settings
        self.identity: str | None = None
        self.begun, self.epochs = False, 0  # written so far

    def write(self, epochs: Sequence[Epoch]) -> None:
        with _explained(self.log.uri):
            run = self._run()
            if not self.begun:
                self.log.client.log_batch(run, params=[Param(key, str(value)) for key, value in self.settings.items()])
                self.begun = True
            while new := epochs[self.epochs : self.epochs + MAX_EPOCHS]:
                self.log.client.log_batch(run, metrics=[metric for epoch in new for metric in _metrics(epoch)])
                self.epochs += len(new)

    def end(self, status: str, result: Mapping[str, float]) -> None:
        with _explained(self.log.uri):
            run = self._run()
            self.log.client.log_batch(run, metrics=[_metric(*item, self.epochs) for item in result.items()])
            self.log.client.set_terminated(run, STATUSES[status])

    def add_file(self, path: StrPath) -> None:
        with _explained(self.log.uri):
            self.log.client.log_artifact(self._run(), os.fspath(path))

    def _run(self) -> str:
        """Return the identity of the run, which is created by the first call."""
        if self.identity is None:
            created = self.log.client.create_run(self.log.experiment, run_name=self.name)
            self.identity = str(created.info.run_id)
        return self.identity


def _metrics(epoch: Epoch) -> list[Metric]:
    values = ((name, getattr(epoch, name)) for name in METRICS)
    return [_metric(name, value, epoch.epoch) for name, value in values if value is not None]


def _metric(name: str, value: float, step: int) -> Metric:
    return Metric(name, value, int(time.time() * 1000), step)


@contextmanager
def _explained(uri: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # stores and their drivers raise exceptions of many kinds
        raise UserError(
            f"Cannot log to mlflow:{uri} ({_reason(error)}); start its server, or give a database such as "
            "mlflow:sqlite:///runs.db."
        ) from error


def _reason(error: Exception) -> str:
    """Return what the operating system said first, or else the first sentence of the error."""
    first: BaseException = error
    while cause := first.__cause__ or first.__context__:
        first = cause
    if isinstance(first, OSError) and first.strerror:
        return first.strerror
    return str(error).strip().partition("\n")[0].partition(". ")[0].rstrip(".")
