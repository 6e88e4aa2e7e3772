"""Training jobs, which are sent to workers, and their execution there."""

import hashlib
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np

from fastdigits import __version__, ops
from fastdigits.config.training import TrainConfig
from fastdigits.data import DigitSet
from fastdigits.errors import words_of_commands
from fastdigits.nn import Network
from fastdigits.ops.runtime import compilation
from fastdigits.storage.history import Epoch
from fastdigits.storage.weights import SavedNetwork, Start
from fastdigits.sweeps.store import DONE, FAILED, PRUNED, RunRow
from fastdigits.training import experiment
from fastdigits.training.callbacks import Callback
from fastdigits.training.failure import TrainingFailed
from fastdigits.training.loop import Rows, train
from fastdigits.training.repeats import RunResult

Report = Callable[[dict[str, Any]], None]
VARIANT_DIGITS = 12  # of the SHA-256


@dataclass(frozen=True, eq=False)
class Training:
    """A training that any process with fastdigits can run, given the images.

    Attributes
    ----------
    model : str
        Name.
    network : dict
        Network.config().
    config : TrainConfig
    data : str
        Name of the images among those that were sent to the worker.
    device : str
        "auto" for that which the worker's machine has.
    threads : int or None
        None for those of the worker.
    rows : two int32 arrays, optional
        See `training.loop.train`.
    trained : SavedNetwork, optional
        See `training.loop.train`.
    start : Start, optional
        The file of `trained`.
    """

    model: str
    network: dict[str, Any]
    config: TrainConfig
    data: str
    device: str = "auto"
    threads: int | None = None
    rows: Rows | None = None
    trained: SavedNetwork | None = None
    start: Start | None = None

    def run(self, digits: DigitSet, threads: int, report: Report) -> RunResult:
        """Train and test as `fastdigits train` does.

        Parameters
        ----------
        digits : DigitSet
        threads : int
            Those of the worker.
        report : function
            Called with {"compiling": line} while kernels are compiled, and after each epoch as by `Job.run`.

        Raises
        ------
        TrainingFailed
            See `training.experiment.run`.
        """
        start = perf_counter()
        loaded = self.load_ops(threads)
        network = Network.from_config(self.network)
        with words_of_commands(), compilation.shown(lambda line, last: report({"compiling": line})):
            arguments = network, digits, loaded, self.config, Progress(report), self.rows, None, self.trained
            done = experiment.run(self.model, *arguments)
        saved = replace(done.saved(), start=self.start)
        return RunResult(saved, done.summary(0.0, perf_counter() - start, ""), done.rank, done.problem)

    def load_ops(self, threads: int) -> ops.Ops:
        """Load the operations of the device."""
        device = ops.choose_device()[0] if self.device == "auto" else self.device
        return ops.load(device, self.threads or threads, self.config.exact)


@dataclass(frozen=True, eq=False)
class Job:
    """A run of a sweep.

    Attributes
    ----------
    training : Training
    settings : dict
        See RunRow.
    dataset, data_hash : str
        See RunRow.
    fold : int or None
        See RunRow.
    varied : dict
        The settings in which the runs of the sweep differ.
    thresholds : sequence of float
        After each epoch, the validation accuracy that the best epoch so far must reach; else the run is stopped. 0 for
        an epoch after which no run is stopped, as after those that are not listed.
    keep_weights : bool
        Whether to return the trained network.
    """

    training: Training
    settings: dict[str, Any]
    dataset: str
    data_hash: str
    fold: int | None
    varied: dict[str, Any]
    thresholds: Sequence[float] = ()
    keep_weights: bool = False

    @property
    def data(self) -> str:
        """Name of the images; see Training."""
        return self.training.data

    @property
    def seed(self) -> int:
        """The seed of the training."""
        return self.training.config.seed

    @property
    def variant(self) -> str:
        """See RunRow."""
        return _digest(self._decisive() | {"seed": None})[:VARIANT_DIGITS]

    @property
    def key(self) -> str:
        """See RunRow; that of a run that is not stopped early."""
        return _digest(self._decisive() | {"fold": self.fold})

    @property
    def pruned_key(self) -> str:
        """The key of the run if it is stopped early."""
        return _digest([self.key, list(self.thresholds)])

    def _decisive(self) -> dict[str, Any]:
        """Return all that decides the result, except for the fold, as JSON types."""
        training = self.training
        trained = training.trained and {name: _array_hash(one) for name, one in training.trained.weights.items()}
        config = {name: value for name, value in asdict(training.config).items() if name != "seed"}
        return {
            "network": training.network,
            "config": config,
            "device": training.device,
            "threads": self.settings.get("threads"),
            "data": self.data_hash,
            "trained": trained,
            "folds": self.settings["folds"],
            "seed": self.seed,
        }

    def run(self, digits: DigitSet, threads: int, report: Report) -> tuple[RunRow, SavedNetwork | None]:
        """Train the network and return the row of the run and, if it is asked for, the network.

        Parameters
        ----------
        digits : DigitSet
            Only its training images are used.
        threads : int
            Those of the worker.
        report : function
            Called with {"compiling": line} and {"epoch": number, "validation_accuracy": ...}.
        """
        start, training = perf_counter(), self.training
        loaded, network = training.load_ops(threads), Network.from_config(training.network)
        callback = Progress(report, self.thresholds)
        images = digits.train_images, digits.train_labels
        arguments = network, *images, loaded, training.config, callback, training.rows, None, training.trained
        with compilation.shown(lambda line, last: report({"compiling": line})):
            try:
                result, failure = experiment.kept_if_diverged(partial(train, *arguments))
            except TrainingFailed as error:
                result, failure = None, str(error)
        status = PRUNED if callback.pruned else FAILED if failure else DONE
        row = RunRow(
            key=self.pruned_key if callback.pruned else self.key,
            variant=self.variant,
            settings=self.settings,
            model=training.model,
            dataset=self.dataset,
            data_hash=self.data_hash,
            seed=self.seed,
            fold=self.fold,
            status=status,
            problem=failure,
            epochs=[],
            kept_epoch=None,
            validation_accuracy=None,
            validation_loss=None,
            parameters=network.parameter_count,
            seconds={},
            machine=platform.node(),
            device=loaded.device,
            threads=loaded.threads,
            version=__version__,
            finished=now(),
        )
        if result is None:
            return replace(row, seconds={"total": perf_counter() - start}), None
        kept = result.epochs[result.kept_epoch - 1]
        problem = "" if callback.pruned else experiment.problem_of(result, failure)
        row = replace(
            row,
            status=FAILED if problem else status,
            problem=problem,
            epochs=[asdict(epoch) for epoch in result.epochs],
            kept_epoch=result.kept_epoch,
            validation_accuracy=kept.validation_accuracy,
            validation_loss=kept.validation_loss,
            seconds=result.seconds | {"total": perf_counter() - start},
        )
        if not self.keep_weights:
            return row, None
        saved = SavedNetwork.of(
            network,
            result.normalisation,
            training.config,
            result.epochs,
            model=training.model,
            dataset=self.dataset,
            metrics={"kept_epoch": result.kept_epoch},
            start=training.start,
            reading=digits.reading,
        )
        return row, saved


class Progress(Callback):
    """Report every epoch of a training, and stop it after an epoch that is worse than a threshold.

    Attributes
    ----------
    pruned : bool
        Whether it was stopped.
    """

    def __init__(self, report: Report, thresholds: Sequence[float] = ()):
        self.report, self.thresholds, self.pruned, self.best = report, thresholds, False, 0.0

    def on_compiled(self, seconds: float) -> None:
        self.report({"compiling": ""})

    def on_epoch_end(self, record: Epoch) -> None:
        accuracy = record.validation_accuracy
        self.report({"epoch": record.epoch, "validation_accuracy": accuracy})
        self.best = max(self.best, accuracy or 0.0)
        if record.epoch <= len(self.thresholds) and self.best < self.thresholds[record.epoch - 1]:
            self.pruned = True
            self.training.stop()


def now() -> str:
    """Return the date and time in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def data_hash(digits: DigitSet) -> str:
    """Return the SHA-256 of the training images and labels."""
    return _digest([_array_hash(digits.train_images), _array_hash(digits.train_labels)])


def images_name(digits: DigitSet, known_hash: str = "") -> str:
    """Return the name by which workers know a data set, with or without test images."""
    return f"{known_hash or data_hash(digits)}-{len(digits.test_labels)}"


def _array_hash(array: np.ndarray) -> str:
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
