"""The training loop."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from fastdigits.config import LOSSES, TrainConfig
from fastdigits.dataset import stratified_split
from fastdigits.dataset.batches import Batches, Normalisation
from fastdigits.errors import UserError
from fastdigits.evaluate import evaluate
from fastdigits.history import Epoch
from fastdigits.nn.layers import Learning
from fastdigits.nn.network import Network
from fastdigits.optim import Optimizer
from fastdigits.schedule import SCHEDULES


class Watcher:
    """What is told while training goes on; a subclass shows what it likes."""

    def compiled(self, seconds: float) -> None:
        """The kernels are ready."""

    def step(self, epoch: int, images: int, total: int, figures: Callable[[], tuple[float, float]]) -> None:
        """So many images of the epoch are done; `figures` gives (loss, accuracy) so far, at the cost of a look."""

    def epoch(self, record: Epoch) -> None:
        """An epoch is over."""


@dataclass(frozen=True)
class Training:
    """A finished training; `seconds` are those of "compile", "train" and "validation"."""

    normalisation: Normalisation
    epochs: list[Epoch]
    seconds: dict[str, float]
    images_per_second: float


class Trainer:
    """One step of learning, and the figures of an epoch."""

    def __init__(self, network: Network, batches: Batches, config: TrainConfig):
        ops = self.ops = network.ops
        self.network, self.loss = network, getattr(ops, LOSSES[config.loss])
        self.optimizer = Optimizer(ops, config, network.buffer)
        self.seed, self.smoothing = config.seed, float(config.label_smoothing)
        self.losses, self.hits = ops.empty(batches.targets.shape), ops.empty(batches.targets.shape)
        self.dscores = ops.empty((len(batches.targets), network.classes, ops.lanes))
        self.total_loss, self.total_hits = ops.zeros((1,), np.float64), ops.zeros((1,), np.float64)

    def step(self, x: Any, targets: Any, count: int, share: float) -> None:
        """Learn from one batch, at a share of the learning rate."""
        scores = self.network.forward(x, Learning(count, self.optimizer.count, self.seed))
        self.loss(scores, targets, count, self.smoothing, self.losses, self.dscores)
        self.network.backward(self.dscores)
        self.optimizer.step(share)
        self.ops.count_hits(scores, targets, self.hits)
        self.ops.accumulate(self.losses, self.total_loss)
        self.ops.accumulate(self.hits, self.total_hits)

    def figures(self, images: int) -> tuple[float, float]:
        """(mean loss, accuracy) over so many images since the last `forget`."""
        return tuple(float(self.ops.download(total)[0]) / images for total in (self.total_loss, self.total_hits))

    def forget(self) -> None:
        """Begin the figures anew."""
        self.total_loss[...] = self.total_hits[...] = 0


def train(
    network: Network, images: np.ndarray, labels: np.ndarray, ops: Any, config: TrainConfig, watcher: Watcher
) -> Training:
    """Build the network on a device, give it its random start and train it.

    Parameters
    ----------
    network : Network
    images : uint8 (N, H, W)
    labels : uint8 (N,)
    ops : Ops
    config : TrainConfig
    watcher : Watcher

    Raises
    ------
    UserError
        If the configuration does not fit the images, or the loss stops being finite.
    """
    network.check_images(images, labels)
    rows, validation_rows = split(labels, config)
    normalisation = Normalisation.of(images, rows)
    network.build(ops, config.batch_size, fused=config.fused)
    batches = Batches(ops, images, labels, config.batch_size, normalisation)

    start = perf_counter()
    compile_kernels(network, batches, config)
    seconds = {"compile": perf_counter() - start, "train": 0.0, "validation": 0.0}
    watcher.compiled(seconds["compile"])

    network.initialise(config.seed)
    trainer, epochs = Trainer(network, batches, config), []
    for number in range(1, config.epochs + 1):
        start = perf_counter()
        loss, accuracy = train_epoch(trainer, batches, rows, number, config, watcher)
        epoch_s = perf_counter() - start
        if not all(np.isfinite(value).all() for value in (loss, *network.values().values())):
            raise UserError(f"The network is no longer made of finite numbers after epoch {number}; lower --lr.")
        validation = evaluate(network, batches, validation_rows, config.loss) if len(validation_rows) else None
        held_out = (validation.loss, validation.accuracy) if validation else (None, None)
        seconds["train"] += epoch_s
        seconds["validation"] += validation.seconds if validation else 0.0
        epochs.append(Epoch(number, loss, accuracy, *held_out, epoch_s, len(rows) / epoch_s))
        watcher.epoch(epochs[-1])
    return Training(normalisation, epochs, seconds, len(rows) * config.epochs / seconds["train"])


def train_epoch(
    trainer: Trainer, batches: Batches, rows: np.ndarray, epoch: int, config: TrainConfig, watcher: Watcher
) -> tuple[float, float]:
    """Learn once from every row, in an order of its own; return (mean loss, accuracy)."""
    ops, schedule = trainer.ops, SCHEDULES[config.schedule]
    places = ops.empty((len(rows),), np.int32)
    ops.random_permutation(config.seed, epoch, places)
    order = ops.upload(rows)[places]
    steps = -(-len(rows) // config.batch_size)
    trainer.forget()
    done = 0
    for number, (x, targets, count) in enumerate(batches.over(order)):
        trainer.step(x, targets, count, schedule((epoch - 1) * steps + number, config.epochs * steps))
        done += count
        watcher.step(epoch, done, len(rows), lambda done=done: trainer.figures(done))
    return trainer.figures(done)


def split(labels: np.ndarray, config: TrainConfig) -> tuple[np.ndarray, np.ndarray]:
    """(rows to train on, rows to validate on) of the training images."""
    count = len(labels) // 12 if config.validation is None else config.validation
    return stratified_split(labels, count, config.seed)


def compile_kernels(network: Network, batches: Batches, config: TrainConfig) -> None:
    """Run every operation of the training once, with a learning rate of 0, which changes no parameter.

    It changes running statistics, so that it must come before `network.initialise`.
    """
    order = network.ops.zeros((1,), np.int32)
    network.ops.random_permutation(config.seed, 0, order)
    trainer = Trainer(network, batches, config)
    for x, targets, count in batches.over(order):
        trainer.step(x, targets, count, 0.0)
        network.forward(x)  # as evaluation does
