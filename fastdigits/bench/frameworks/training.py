"""Train a network in another framework, with the steps, the order of the images and the rates of training/loop.py."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from fastdigits import export
from fastdigits.config import schedules
from fastdigits.config.training import TrainConfig
from fastdigits.data import DigitSet
from fastdigits.nn import Network
from fastdigits.nn.initializers import initial_value
from fastdigits.ops.random.reference import random_permutation
from fastdigits.storage.history import Epoch
from fastdigits.storage.weights import SavedNetwork
from fastdigits.training.callbacks import Callback
from fastdigits.training.failure import TrainingFailed
from fastdigits.training.loop import split
from fastdigits.training.optimizer import lr_of
from fastdigits.training.trainer import normalisation_of

BATCH = 1000  # images that are prepared or evaluated at a time


class Trainer(Protocol):
    """A network in a framework with its optimizer and all images on its device.

    The constructor takes the network with its initial weights, the settings, the images uint8 (N, H, W), the labels,
    the device, "cpu" or "cuda", and the number of threads. It compiles what the framework compiles.
    """

    def step(self, rows: np.ndarray, rate: float) -> None:
        """Train on the images with the indices `rows` at a learning rate."""

    def totals(self) -> tuple[float, float]:
        """Return the (sum of the losses, number of hits) since the last call, when all steps have finished."""

    def scores(self, images: np.ndarray) -> np.ndarray:
        """Return the scores float32 (n, classes) of images uint8 (n, H, W)."""


@dataclass(frozen=True)
class FrameworkRun:
    """A training run in a framework: the seconds of its steps, and the accuracy on the test images."""

    accuracy: float
    train_s: float


def train(
    framework: ModuleType,
    model: str,
    network: Network,
    digits: DigitSet,
    config: TrainConfig,
    callback: Callback,
    device: str = "cpu",
    threads: int = 1,
) -> FrameworkRun:
    """Train a network in a framework and evaluate it once on the test images.

    Parameters
    ----------
    framework : module
        From `load`; `check` accepts the settings.
    model : str
        Name of the network.
    network : Network
        Need not be built.
    digits : DigitSet
    config : TrainConfig
    callback : Callback
        Its `on_train_start` is not called, so it cannot change the training.
    device : str
        "cpu" or "cuda".
    threads : int

    Raises
    ------
    UserError
        If the framework does not have one of the layers.
    TrainingFailed
        If a loss or a score is NaN or infinite.
    """
    images, labels = digits.train_images, digits.train_labels
    rows, _ = split(labels, config)
    saved = untrained(network, model, digits, config, rows)
    start = perf_counter()
    trainer = framework.Trainer(saved, config, images, labels, device, threads)
    callback.on_compiled(perf_counter() - start)
    train_s = 0.0
    for epoch in range(1, config.epochs + 1):
        record = _train_epoch(trainer, rows, config, epoch, callback)
        train_s += record.seconds or 0.0
        if not np.isfinite(record.train_loss):
            raise TrainingFailed(f"The loss is not finite in epoch {epoch}; lower the learning rate.")
        callback.on_epoch_end(record)
    scores = in_batches(trainer.scores, digits.test_images)
    if not np.isfinite(scores).all():
        raise TrainingFailed("The network computes NaN or infinity after the training; lower the learning rate.")
    return FrameworkRun(float((scores.argmax(1) == digits.test_labels).mean()), train_s)


def untrained(network: Network, model: str, digits: DigitSet, config: TrainConfig, rows: np.ndarray) -> SavedNetwork:
    """Return a network with the weights and the normalization with which its training starts."""
    weights = {
        name: initial_value(parameter, config.seed, number)
        for number, (name, parameter) in enumerate(network.state().items())
    }
    return SavedNetwork(
        network=network.config(),
        weights=weights,
        normalisation=normalisation_of(digits.train_images, rows, config),
        model=model,
        dataset=digits.name,
        config=vars(config),
        history=[],
        metrics={},
    )


def exported(saved: SavedNetwork, format_name: str) -> dict[str, Any]:
    """Run the source code that `fastdigits export` writes for a framework; return what it defines."""
    defined: dict[str, Any] = {}
    exec(export.encode(saved, format_name, export.ExportOptions()).content, defined)
    return defined


def in_batches(compute: Callable[[np.ndarray], np.ndarray], images: np.ndarray) -> np.ndarray:
    """Apply a function to a few images at a time, so that its intermediate results stay small."""
    return np.concatenate([compute(images[first : first + BATCH]) for first in range(0, len(images), BATCH)])


def _train_epoch(trainer: Trainer, rows: np.ndarray, config: TrainConfig, epoch: int, callback: Callback) -> Epoch:
    """Train on each image once, in the same random order as our own training."""
    start, total, sums = perf_counter(), len(rows), np.zeros(2)
    batch_size = config.batch_size or total
    steps = -(-total // batch_size)
    order = np.empty(total, np.int32)
    random_permutation(config.seed, epoch, order)
    order, rate = rows[order], 0.0

    def metrics(done: int) -> tuple[Any, Any]:
        sums[...] += trainer.totals()
        return sums[0] / done, sums[1] / done

    for step in range(steps):
        rate = lr_of(config) * schedules.lr_factor(config, (epoch - 1) * steps + step, steps)
        done = min((step + 1) * batch_size, total)
        trainer.step(order[step * batch_size : done], rate)
        callback.on_step(epoch, done, total, partial(metrics, done))
    loss, accuracy = metrics(total)
    seconds = perf_counter() - start
    return Epoch(epoch, float(loss), float(accuracy), None, None, rate, seconds, total / seconds)
