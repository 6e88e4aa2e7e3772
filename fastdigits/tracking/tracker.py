"""The callback that logs a training."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from time import monotonic
from typing import Any

import fastdigits
from fastdigits.config.training import TrainConfig
from fastdigits.errors import UserError
from fastdigits.files import StrPath
from fastdigits.storage.history import Epoch
from fastdigits.tracking import FAILED, FINISHED, INTERRUPTED, Log, RunLog, open_log
from fastdigits.training.callbacks import Callback, Training
from fastdigits.training.optimizer import lr_of, weight_decay_of

RETRY_S = 60.0  # a server that is away must not hold up every epoch


class RunTracker(Callback):
    """Logs one training; `end` must be called afterwards.

    A log that cannot be written is a warning, and training goes on. It is tried again after RETRY_S and at the end.

    Parameters
    ----------
    log : Log
    name : str
        Name of the run. The seed is added to it.
    settings : dict
        What to log in addition to the settings of the training.
    warn : function
        Called with a sentence.

    Attributes
    ----------
    problem : str
        Why the log is not complete; "" if it is.
    """

    def __init__(self, log: Log, name: str, settings: Mapping[str, Any], warn: Callable[[str], object]):
        self.log, self.name, self.settings, self.warn = log, name, settings, warn
        self.problem, self._next_try_s = "", 0.0
        self._run: RunLog | None = None
        self._epochs: list[Epoch] = []

    def on_train_start(self, training: Training) -> None:
        super().on_train_start(training)
        network, epochs = training.network, training.epochs
        facts = {"device": network.ops.device, "parameters": network.parameter_count}
        self.begin(training.config, facts | {"resumed_after_epoch": len(epochs) or None}, epochs)

    def begin(self, config: TrainConfig, facts: Mapping[str, Any], epochs: Sequence[Epoch]) -> None:
        """Begin the log of a training that has these settings, with the epochs so far."""
        known = {**self.settings, **facts, "version": fastdigits.__version__, **_of_config(config)}
        settings = {name: value for name, value in known.items() if value not in (None, "")}
        self.problem, self._epochs = "", [*epochs]
        self._run = self.log.run(f"{self.name}-seed{config.seed}", settings)
        self._write_epochs()

    def on_epoch_end(self, record: Epoch) -> None:
        self._epochs.append(record)
        self._write_epochs()

    def end(self, status: str, result: Mapping[str, float] | None = None) -> None:
        """Close the log, if training has started; `result` are the final metrics."""
        if self._run:
            with self._noting_problems():
                self._run.write(self._epochs)
                self._run.end(status, result or {})

    def add_file(self, path: StrPath) -> None:
        """Keep a copy of a file with the run, where the tracker stores files."""
        if self._run and not self.problem:
            with self._noting_problems():
                self._run.add_file(path)

    def _write_epochs(self) -> None:
        before = self.problem
        if not self._run or (before and monotonic() < self._next_try_s):
            return
        with self._noting_problems():
            self._run.write(self._epochs)
        if self.problem:
            self._next_try_s = monotonic() + RETRY_S
            if not before:
                self.warn(f"{self.problem} Training goes on.")

    @contextmanager
    def _noting_problems(self) -> Iterator[None]:
        try:
            yield
        except UserError as error:
            self.problem = str(error)
        else:
            self.problem = ""


class Tracker(RunTracker):
    """Callback that logs each training to a CSV table, to TensorBoard or to MLflow.

    It logs the settings, and after each epoch loss, accuracy, learning rate and seconds. A log that cannot be written
    during the training is a warning. It is tried again after a minute and at the end, with all that is missing.

    Parameters
    ----------
    target : str
        csv:FILE, tensorboard:FOLDER or mlflow:URI, as for `fastdigits train --log`.
    name : str
        Name of the run. The seed is added to it.
    **settings
        What to log in addition to the settings of the training, such as dataset="letters".

    Raises
    ------
    UserError
        If the target cannot be written, or the package that it needs is not installed.

    Examples
    --------
    >>> from fastdigits import Dense, Flatten, Sequential, Tracker, load_digits
    >>> digits = load_digits()
    >>> model = Sequential([Flatten(), Dense(10)])
    >>> tracker = Tracker("csv:runs.csv", dataset="mnist")
    >>> history = model.fit(digits.train_images, digits.train_labels, callbacks=[tracker], epochs=2)
    """

    def __init__(self, target: str, name: str = "network", **settings: Any):
        super().__init__(open_log(target), name, {"model": name, **settings}, warnings.warn)

    def on_train_end(self, error: BaseException | None) -> None:
        self.end(status_of(error))
        if self.problem:
            self.warn(self.problem)


def status_of(error: BaseException | None) -> str:
    """Return the status of a training that ended with this exception, or with none."""
    if error is None:
        return FINISHED
    return INTERRUPTED if isinstance(error, KeyboardInterrupt) else FAILED


def _of_config(config: TrainConfig) -> dict[str, Any]:
    return asdict(config) | {
        "lr": lr_of(config),
        "weight_decay": weight_decay_of(config),
        "batch_size": config.batch_size or "all",
    }
