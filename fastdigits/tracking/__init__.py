"""Logs of trainings for experiment trackers, one module for each kind. Importing this package is light.

The module of a kind has a class Log, made from a place: a file, a folder or an address.
"""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from fastdigits.errors import UserError, import_with_packages
from fastdigits.files import StrPath

if TYPE_CHECKING:
    from fastdigits.storage.history import Epoch

MODULES = {"csv": "table", "tensorboard": "event_files", "mlflow": "mlflow_runs"}
EXAMPLES = "csv:runs.csv, tensorboard:runs or mlflow:sqlite:///runs.db"
FINISHED, FAILED, INTERRUPTED = "finished", "failed", "interrupted"
METRICS = (
    *("train_loss", "train_accuracy", "validation_loss", "validation_accuracy"),
    *("learning_rate", "seconds", "images_per_second"),
)
# MLflow waits for minutes for a server that is away, prints on stdout and sends usage data, unless it is told otherwise
MLFLOW_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


class RunLog(Protocol):
    """The log of one training. Its methods raise UserError if they cannot write; calling them again makes up for it."""

    def write(self, epochs: "Sequence[Epoch]") -> None:
        """Write those of the epochs that are not yet written; `epochs` are all so far."""

    def end(self, status: str, result: Mapping[str, float]) -> None:
        """Write the final result and close the log; `status` is FINISHED, FAILED or INTERRUPTED."""

    def add_file(self, path: StrPath) -> None:
        """Keep a copy of a file with the run, where the tracker stores files. It may be called after `end`."""


class Log(Protocol):
    """A log of many trainings, that can be written."""

    def run(self, name: str, settings: Mapping[str, Any]) -> RunLog:
        """Return the log of a new training; nothing is written yet."""


def parse(target: str) -> tuple[str, str]:
    """Split KIND:PLACE.

    Raises
    ------
    UserError
        If the kind is unknown or the place is empty.
    """
    kind, _, place = target.partition(":")
    if kind not in MODULES or not place:
        raise UserError(f"'{target}' is no log; give one such as {EXAMPLES}.")
    return kind, place


def open_log(target: str) -> Log:
    """Open a log and check that it can be written.

    Parameters
    ----------
    target : str
        csv:FILE, tensorboard:FOLDER or mlflow:URI.

    Raises
    ------
    UserError
        If the target is malformed or cannot be written, or a package is missing.
    """
    kind, place = parse(target)
    if kind == "mlflow":
        for name, value in MLFLOW_ENVIRONMENT.items():
            os.environ.setdefault(name, value)
    module = import_with_packages(
        f"fastdigits.tracking.{MODULES[kind]}",
        lambda error: (
            f"Logging to {kind} needs the package {error.name}, which is not installed; "
            f"run pip install 'fastdigits[{kind}]'."
        ),
    )
    return module.Log(place)
