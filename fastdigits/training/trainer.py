"""The trainer: run training steps and keep the state between them."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from fastdigits.config.training import MAX_MICRO_BATCH, TrainConfig, loss_on
from fastdigits.data.augmentation import own_changes
from fastdigits.data.batches import Batches
from fastdigits.data.preprocessing import Normalisation, Preparation
from fastdigits.inference.evaluate import Evaluation, evaluate
from fastdigits.nn.layers import TrainingStep
from fastdigits.nn.network import Network
from fastdigits.ops.array import reference
from fastdigits.ops.interface import Ops
from fastdigits.storage.history import Epoch, best_epoch, epochs_since_best
from fastdigits.training.ema import EMA
from fastdigits.training.optimizer import Optimizer
from fastdigits.training.plan import Plan, Step


def build_for_training(
    network: Network,
    images: np.ndarray,
    labels: np.ndarray,
    rows: np.ndarray,
    ops: Ops,
    config: TrainConfig,
    preparation: Preparation | None = None,
    normalisation: Normalisation | None = None,
) -> Batches:
    """Build a network with frozen layers as configured, and upload its images.

    Parameters
    ----------
    network : Network
    images : uint8 (N, H, W)
    labels : uint8 (N,)
    rows : int32 (n,)
        Indices of the images to train on.
    ops : Ops
    config : TrainConfig
    preparation : Preparation, optional
        That of `config`, which follows the polarity of the training images, by default.
    normalisation : Normalisation, optional
        That of a trained network; computed from the training images only by default.
    """
    if normalisation is None:
        normalisation = normalisation_of(images, rows, config, preparation)
    network.freeze(config.frozen_layers)
    network.build(ops, min(config.batch_size or len(rows), MAX_MICRO_BATCH), fused=config.fused)
    return Batches(ops, images, labels, network.batch_size, normalisation, config.effects, config.seed)


def normalisation_of(
    images: np.ndarray, rows: np.ndarray, config: TrainConfig, preparation: Preparation | None = None
) -> Normalisation:
    """Return the preprocessing of images uint8 (N, H, W) as measured in images[rows].

    If a preparation is given, only the normalization is measured.
    """
    if preparation is None:
        preparation = config.preparation.following(images, rows, config.ink)
    return Normalisation.of(images, rows, preparation) if config.normalise else Normalisation(0.0, 1.0, preparation)


class Trainer:
    """Training steps of a network, with the metrics of the current epoch, the history and the best weights.

    Parameters
    ----------
    network : Network
        Built for training.
    batches : Batches
    config : TrainConfig
    rows : int32 (N,)
        Indices of the images to train on.
    weights : float32 (N,), optional
        Factor of the loss of each image of `batches`; 1 by default.

    Attributes
    ----------
    stopped : bool
        Whether training ends after the current step. Callbacks set it.
    lr_factors : sequence of float
        Factor of the learning rate for each step of the epoch.
    """

    def __init__(
        self,
        network: Network,
        batches: Batches,
        config: TrainConfig,
        rows: np.ndarray,
        weights: np.ndarray | None = None,
    ):
        ops = self.ops = network.ops
        self.network, self.batches, self.config = network, batches, config
        self.loss, self.smoothing = loss_on(ops, config.loss), float(config.label_smoothing)
        self.optimizer = Optimizer(ops, config, network.buffer)
        self.plan = Plan(ops, batches, self.optimizer)
        self.ema = None if config.ema is None else EMA(ops, config.ema, network.buffer)
        self.history: list[Epoch] = []
        self.best_weights: dict[str, np.ndarray] | Any = None
        self.epoch_weights: dict[str, np.ndarray] | None = None  # for evaluation, after the last epoch
        self.images_done = 0  # in the current epoch
        self.images_skipped = 0  # in the epoch in which a callback has stopped training
        self.stopped = False
        self.epoch, self.rows = 0, ops.upload(rows)
        self.batch_size = config.batch_size or len(rows)
        self.lr_factors: Sequence[float] = [1.0]
        self.permutation, self.order = (ops.empty(rows.shape, np.int32) for _ in range(2))
        self.weights: Any = None if weights is None else ops.upload(np.asarray(weights, np.float32))
        self.ordered_weights = ops.zeros(rows.shape)  # empty lanes read those after the last image
        self.changes = own_changes(config.augment)
        self.originals: Any = ops.download(batches.images)[rows] if self.changes else None
        self.losses, self.hits = ops.empty(batches.targets.shape), ops.empty(batches.targets.shape)
        self.dscores = ops.empty((len(batches.targets), network.classes, ops.lanes))
        self.totals = ops.zeros((2,), np.float64)  # losses and hits of the current epoch
        self.gradient_sum = ops.empty(network.buffer.gradients.shape)
        captured = ops.captured if config.graph and network.is_recordable else reference.captured
        self.run_step = captured(self._run_step)

    def start_epoch(self, epoch: int, lr_factors: Sequence[float]) -> None:
        """Compute the random order of an epoch's images, and set the factor of the learning rate for each step."""
        self.epoch, self.lr_factors = epoch, lr_factors
        self.ops.random_permutation(self.config.seed, epoch, self.permutation)
        self.order[...] = self.rows[self.permutation]
        if self.changes and epoch:  # epoch 0 only compiles the kernels
            self._set_images(self._changed_images(epoch))
        if self.weights is not None:
            self.ordered_weights[...] = self.weights[self.order]

    def step(self, first: int, images: int, times: int = 1) -> None:
        """Train on `images` images, from position `first` in the epoch's order, a multiple of the batch size.

        With `times`, train on the images that follow, too, in as many steps.
        """
        plan, optimizer = self.plan, self.optimizer
        while times:
            if plan.next != self._planned(first, optimizer.steps + 1):
                plan.write(self._rest_of_epoch(first))
            steps = min(times, len(plan.later))
            optimizer.steps += steps
            self.run_step(images, times=steps)
            plan.advance(steps)
            first, times = first + steps * images, times - steps

    def _rest_of_epoch(self, first: int) -> Iterator[Step]:
        """Yield the steps from position `first` on: the current one, and those that follow unless something changes."""
        last = min(len(self.rows), len(self.lr_factors) * self.batch_size)
        for later, position in enumerate(range(first, last, self.batch_size)):
            yield self._planned(position, self.optimizer.steps + 1 + later)

    def _planned(self, first: int, number: int) -> Step:
        """Return step `number` of the optimizer, on the images from position `first` on."""
        return Step(self.epoch, first, number, self.optimizer.lr * self.lr_factors[first // self.batch_size])

    def _run_step(self, images: int) -> None:
        # This is recorded once and replayed: values that change between steps must be read from device memory, and
        # everything must be done by operations.
        gradients, last = self.network.buffer.gradients, (images - 1) // self.batches.batch_size
        self.plan.take()
        for part, (x, targets, count) in enumerate(self.batches.parts(self.order, images, training=True)):
            scores = self.network.forward(x, TrainingStep(count, self.optimizer.count, self.config.seed, part))
            self.loss(scores, targets, images, self.smoothing, self.losses, self.dscores)
            if self.weights is not None:
                done = part * self.batches.batch_size
                self.ops.weigh_losses(self.ordered_weights, self.batches.start, done, self.losses, self.dscores)
            self.ops.accumulate_metrics(scores, targets, self.losses, self.hits, self.totals)
            self.network.backward(self.dscores)
            if part > 0:
                self.ops.add(self.gradient_sum, gradients, gradients)
            if part < last:
                self.ops.copy(gradients, self.gradient_sum)
        self.optimizer.update()
        if self.ema:
            self.ema.step(self.optimizer.count)

    @property
    def images_trained(self) -> int:
        """Number of images trained on in all epochs so far, including those before a resumed checkpoint."""
        return len(self.history) * len(self.rows) + self.images_done - self.images_skipped

    def metrics(self, images: int) -> tuple[float, float]:
        """Return (mean loss, accuracy) over the `images` images since the last `reset_metrics`."""
        loss, hits = self.ops.download(self.totals)
        return float(loss) / images, float(hits) / images

    def reset_metrics(self) -> None:
        """Set the accumulated loss and number of hits to 0."""
        self.totals[...] = 0

    def using_evaluation_weights(self) -> AbstractContextManager:
        """Use the moving averages, if there are any, as the network's parameters within the block."""
        return self.ema.applied() if self.ema else nullcontext()

    def evaluate(self, rows: np.ndarray) -> Evaluation:
        """Evaluate the network, with the moving averages if there are any, on the images with the indices `rows`."""
        with self.using_evaluation_weights():
            return evaluate(self.network, self.batches, rows, self.config.loss)

    def is_over(self) -> bool:
        """Return whether all epochs are done, a callback has stopped training, or early stopping applies."""
        if self.stopped or len(self.history) >= self.config.epochs:
            return True
        patience = self.config.early_stop
        return patience is not None and epochs_since_best(self.history) >= patience

    def end_epoch(self, record: Epoch) -> None:
        """Add an epoch to the history and copy its weights; they are the best ones if `keeps_best` is set and fits."""
        self.history.append(record)
        self.images_skipped += len(self.rows) - self.images_done
        self.images_done = 0
        with self.using_evaluation_weights():
            self.epoch_weights = self.network.weights()
        if self.config.keeps_best and best_epoch(self.history) is record:
            self.best_weights = self.epoch_weights

    def finish(self) -> int:
        """Set the network's final weights and return the number of the epoch that they are from."""
        if self.changes:
            self._set_images(self.originals)
        if self.config.keeps_best and self.history:
            self.network.set_weights(self.best_weights)
            return best_epoch(self.history).epoch
        if self.ema:
            self.ema.keep()
        return len(self.history)

    def return_to_last_epoch(self) -> int | None:
        """Set the weights that `finish` would have set after the last epoch, and return the number of their epoch.

        Return None if no epoch has been trained since the start or since a resumed checkpoint.
        """
        if self.epoch_weights is None:
            return None
        self.network.set_weights(self.best_weights if self.config.keeps_best else self.epoch_weights)
        return best_epoch(self.history).epoch if self.config.keeps_best else len(self.history)

    def _changed_images(self, epoch: int) -> np.ndarray:
        """Return the training images with the changes from outside of the package, which differ in every epoch."""
        images = self.originals
        for number, change in enumerate(self.changes):
            images = change(images.copy(), np.random.default_rng([self.config.seed, epoch, number]))
        return images

    def _set_images(self, images: np.ndarray) -> None:
        self.batches.images[self.rows] = self.ops.upload(images)
