"""What learns, and all that its next step depends on."""

from contextlib import AbstractContextManager, nullcontext

import numpy as np

from fastdigits.config.training import LOSSES, MAX_MICRO_BATCH, TrainConfig
from fastdigits.data.batches import Batches
from fastdigits.data.preprocessing import Normalisation
from fastdigits.nn.layers import TrainingStep
from fastdigits.nn.network import Network
from fastdigits.ops.interface import Ops
from fastdigits.storage.history import Epoch, best_epoch, epochs_since_best
from fastdigits.training.ema import EMA
from fastdigits.training.optimizer import Optimizer


class Trainer:
    """One step of learning, the figures of an epoch, and all that the next step depends on.

    `rows`, int32 (N,), are those of the images to learn from.
    """

    def __init__(self, network: Network, batches: Batches, config: TrainConfig, rows: np.ndarray):
        ops = self.ops = network.ops
        self.network, self.batches, self.config = network, batches, config
        self.loss, self.smoothing = getattr(ops, LOSSES[config.loss]), float(config.label_smoothing)
        self.optimizer = Optimizer(ops, config, network.buffer)
        self.ema = None if config.ema is None else EMA(ops, config.ema, network.buffer)
        self.history: list[Epoch] = []
        self.best_weights: dict[str, np.ndarray] | None = None
        self.images = 0  # that are done, of the epoch that goes on
        self.epoch, self.rows = 0, ops.upload(rows)
        self.permutation, self.order = (ops.empty(rows.shape, np.int32) for _ in range(2))
        self.losses, self.hits = ops.empty(batches.targets.shape), ops.empty(batches.targets.shape)
        self.dscores = ops.empty((len(batches.targets), network.classes, ops.lanes))
        self.totals = ops.zeros((2,), np.float64)  # of losses and hits in the epoch that goes on
        self.gradient_sum = ops.zeros(network.buffer.gradients.shape)
        self.run_step = ops.captured(self._run_step) if config.graph else self._run_step

    def shuffle(self, epoch: int) -> None:
        """Begin an epoch: bring the images into its order."""
        self.epoch = epoch
        self.ops.random_permutation(self.config.seed, epoch, self.permutation)
        self.order[...] = self.rows[self.permutation]

    def step(self, first: int, images: int, lr_factor: float) -> None:
        """Learn from so many images of the epoch, from the first on in its order, at a share of the learning rate."""
        self.ops.write((*self.batches.step_scalars(first, self.epoch), *self.optimizer.step_scalars(lr_factor)))
        self.run_step(images)

    def _run_step(self, images: int) -> None:
        """What a step does on the device, where it finds all numbers that change from step to step."""
        gradients, several = self.network.buffer.gradients, images > self.batches.batch_size
        if several:
            self.gradient_sum[...] = 0
        for part, (x, targets, count) in enumerate(self.batches.parts(self.order, images, training=True)):
            scores = self.network.forward(x, TrainingStep(count, self.optimizer.count, self.config.seed, part))
            self.loss(scores, targets, images, self.smoothing, self.losses, self.dscores)
            self.network.backward(self.dscores)
            self.ops.accumulate_metrics(scores, targets, self.losses, self.hits, self.totals)
            if several:
                self.gradient_sum += gradients
        if several:
            gradients[...] = self.gradient_sum
        self.optimizer.update()
        if self.ema:
            self.ema.step(self.optimizer.count)

    def metrics(self, images: int) -> tuple[float, float]:
        """(mean loss, accuracy) over so many images since the last `forget`."""
        return tuple(float(total) / images for total in self.ops.download(self.totals))

    def reset_metrics(self) -> None:
        """Begin the figures anew."""
        self.totals[...] = 0

    def using_evaluation_weights(self) -> AbstractContextManager:
        """Within, the network has the weights that are evaluated and saved."""
        return self.ema.applied() if self.ema else nullcontext()

    def is_over(self) -> bool:
        """Whether all epochs are done, or validation has not got better for too long."""
        patience = self.config.early_stop
        return len(self.history) >= self.config.epochs or bool(patience and epochs_since_best(self.history) >= patience)

    def end_epoch(self, record: Epoch) -> None:
        """An epoch is over: take down its figures, and its weights where they are the best so far."""
        self.history.append(record)
        self.images = 0
        if self.config.keeps_best and best_epoch(self.history) is record:
            with self.using_evaluation_weights():
                self.best_weights = self.network.weights()

    def finish(self) -> int:
        """Give the network the weights that are kept, for good; return the number of the epoch that they are from."""
        if self.config.keeps_best:
            self.network.set_weights(self.best_weights)
            return best_epoch(self.history).epoch
        if self.ema:
            self.network.buffer.values[...] = self.ema.values
        return len(self.history)


def build_for_training(
    network: Network, images: np.ndarray, labels: np.ndarray, rows: np.ndarray, ops: Ops, config: TrainConfig
) -> Batches:
    """Build the network on a device, and the batches of images that it learns from; `rows` are those to learn from."""
    normalisation = Normalisation(0.0, 1.0, config.preparation)
    if config.normalise:
        normalisation = Normalisation.of(images, rows, config.preparation)
    network.build(ops, min(config.batch_size or len(rows), MAX_MICRO_BATCH), fused=config.fused)
    return Batches(ops, images, labels, network.batch_size, normalisation, config.effects, config.seed)
