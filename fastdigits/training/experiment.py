"""Run an experiment: train a network, evaluate it once on the test images, and collect the metrics."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

from fastdigits.config.training import TrainConfig
from fastdigits.data import DigitSet
from fastdigits.data.batches import Batches
from fastdigits.inference.evaluate import Evaluation, evaluate
from fastdigits.nn import Network
from fastdigits.ops.interface import Ops
from fastdigits.storage.history import Epoch
from fastdigits.storage.weights import SavedNetwork
from fastdigits.training.callbacks import Callback
from fastdigits.training.checkpoint import Checkpoints
from fastdigits.training.failure import TrainingFailed, overflow_fails
from fastdigits.training.loop import Rows, train
from fastdigits.training.result import TrainingResult


@dataclass(frozen=True)
class Run:
    """A trained network with its training and test metrics.

    `model` and `dataset` are names, and `reading` and `replay_reading` tell how the images were read; see DigitSet.
    `failure` says why training ended before its last epoch, if it diverged.
    """

    model: str
    dataset: str
    network: Network
    config: TrainConfig
    training: TrainingResult
    test: Evaluation
    test_s: float
    failure: str = ""
    reading: dict[str, Any] = field(default_factory=dict)
    replay_reading: dict[str, Any] = field(default_factory=dict)

    @property
    def problem(self) -> str:
        """What is wrong with the network: training diverged, or it is no better than chance. "" if nothing is."""
        return problem_of(self.training, self.failure)

    @property
    def verdict(self) -> dict[str, Any]:
        """The verdict on the network, as JSON types."""
        if self.failure or self.training.verdict is None:
            return {"result": "diverged", "message": self.failure}
        return self.training.verdict.to_dict()

    @property
    def kept(self) -> Epoch:
        """The epoch that the network's weights are from."""
        return self.training.epochs[self.training.kept_epoch - 1]

    @property
    def rank(self) -> tuple[float, float]:
        """Return (accuracy, -loss) of the kept epoch on the validation images, or without them on the training images.

        The larger, the better the run.
        """
        kept = self.kept
        return (kept.train_accuracy, -kept.train_loss) if kept.validation_accuracy is None else kept.rank

    def saved(self) -> SavedNetwork:
        """Return the content of the weights file."""
        return SavedNetwork.of(
            self.network,
            self.training.normalisation,
            self.config,
            self.training.epochs,
            model=self.model,
            dataset=self.dataset,
            metrics={
                "kept_epoch": self.training.kept_epoch,
                "test_images": self.test.images,
                "test_accuracy": self.test.accuracy,
                "test_loss": self.test.loss,
            },
            reading=self.reading,
            replay_reading=self.replay_reading,
        )

    def summary(self, load_s: float, total_s: float, output: str) -> dict[str, Any]:
        """Return all metrics as JSON types, as `fastdigits train --json` prints them.

        Parameters
        ----------
        load_s, total_s : float
            Seconds for loading the data, and for the whole run.
        output : str
            Path of the weights file.
        """
        return {
            "model": self.model,
            "device": self.network.ops.device,
            "dataset": self.dataset,
            "seed": self.config.seed,
            "parameters": self.network.parameter_count,
            "batch_size": self.training.batch_size,
            "epochs": [asdict(epoch) for epoch in self.training.epochs],
            "kept_epoch": self.training.kept_epoch,
            "validation_accuracy": self.kept.validation_accuracy,
            "test": {
                "images": self.test.images,
                "correct": self.test.correct,
                "accuracy": self.test.accuracy,
                "interval_95": list(self.test.interval_95),
                "loss": self.test.loss,
            },
            "seconds": {"load": load_s, **self.training.seconds, "test": self.test_s, "total": total_s},
            "images_per_second": self.training.images_per_second,
            "verdict": self.verdict,
            "output": output,
        }


def run(
    model: str,
    network: Network,
    digits: DigitSet,
    ops: Ops,
    config: TrainConfig,
    callback: Callback,
    rows: Rows | None = None,
    checkpoints: Checkpoints | None = None,
    trained: SavedNetwork | None = None,
) -> Run:
    """Train a network and evaluate it once on the test images; see `train` for the parameters.

    If training diverges, the network has the weights of the last finite epoch.

    Raises
    ------
    UserError
        See `train`.
    TrainingFailed
        If training diverges before the end of an epoch, so that there is nothing to keep.
    """
    images = digits.train_images, digits.train_labels
    training, failure = kept_if_diverged(
        lambda: train(network, *images, ops, config, callback, rows, checkpoints, trained)
    )
    start = perf_counter()
    batches = Batches(ops, digits.test_images, digits.test_labels, network.batch_size, training.normalisation)
    with overflow_fails():
        test = evaluate(network, batches, np.arange(len(digits.test_labels)), config.loss)
    test_s = perf_counter() - start
    readings = digits.reading, digits.replay_reading
    return Run(model, digits.name, network, config, training, test, test_s, failure, *readings)


def kept_if_diverged(train: Callable[[], TrainingResult]) -> tuple[TrainingResult, str]:
    """Call a function that trains a network; return its result and why training diverged, "" if it did not.

    If it diverged, the result and the network are those of the last finite epoch.

    Raises
    ------
    TrainingFailed
        If there is no such epoch.
    """
    try:
        return train(), ""
    except TrainingFailed as error:
        if error.result is None:
            raise
        return error.result, str(error)


def problem_of(training: TrainingResult, failure: str) -> str:
    """Return what is wrong with a trained network: it diverged, or is no better than chance. "" if nothing is."""
    verdict = training.verdict
    return failure or (verdict.message if verdict and verdict.result == "chance" else "")
