"""Train a network that reads lines of symbols, with the loss of connectionist temporal classification."""

import numpy as np

from fastdigits.config import schedules
from fastdigits.config.training import TrainConfig
from fastdigits.data.lines import LineBatches, Lines, by_width
from fastdigits.data.preprocessing import Normalisation
from fastdigits.nn.layers import TrainingStep
from fastdigits.nn.sequence_network import SequenceNetwork
from fastdigits.ops.interface import Array
from fastdigits.training.failure import check_finite
from fastdigits.training.optimizer import Optimizer


class LineTrainer:
    """Training on lines of various widths; each batch has lines of similar width.

    Parameters
    ----------
    network : SequenceNetwork
        Built for training, with initial weights.
    lines : Lines
    normalisation : Normalisation
    config : TrainConfig
        Batch size, epochs, optimizer, learning rate and its schedule, clipping, augmentation and seed.

    Raises
    ------
    UserError
        If an image is too narrow for the layers, or a text has another symbol than those of the network.
    """

    def __init__(self, network: SequenceNetwork, lines: Lines, normalisation: Normalisation, config: TrainConfig):
        self.network, self.config, self.epoch = network, config, 0
        self.optimizer = Optimizer(network.ops, config, network.buffer)
        self.buckets = [
            _Bucket(network, lines.chosen(rows), width, normalisation, config)
            for width, rows in by_width(lines.images).items()
        ]
        self.steps = sum(-(-len(bucket.batches) // bucket.batch_size) for bucket in self.buckets)

    def train_epoch(self) -> float:
        """Train on every line once, in random order, and return the mean loss of the lines that have one.

        A line whose text does not fit into its time steps has an infinite loss and no gradient.

        Raises
        ------
        TrainingFailed
            If the mean loss or a weight becomes NaN or infinite.
        """
        self.epoch += 1
        random = np.random.Philox(key=[self.config.seed, self.epoch])
        plan = [
            (bucket, order, first)
            for bucket in self.buckets
            for order in [self.network.ops.upload(np.argsort(random.random_raw(len(bucket.batches))).astype(np.int32))]
            for first in range(0, len(bucket.batches), bucket.batch_size)
        ]
        losses = []
        for number, at in enumerate(np.argsort(random.random_raw(len(plan)))):
            bucket, order, first = plan[at]
            step = (self.epoch - 1) * self.steps + number
            factor = schedules.lr_factor(self.config, step, self.steps)
            losses.append(bucket.train(self.optimizer, order, first, self.epoch, factor))
        all_losses = np.concatenate(losses)
        loss = float(all_losses[~np.isposinf(all_losses)].mean())
        check_finite(self.epoch, loss, self.network.weights())
        return loss


class _Bucket:
    """Lines of similar width, the network for this width, and the arrays that its loss fills."""

    def __init__(
        self, network: SequenceNetwork, lines: Lines, width: int, normalisation: Normalisation, config: TrainConfig
    ):
        ops, self.seed = network.ops, config.seed
        self.batch_size = min(config.batch_size or len(lines), len(lines))
        self.network = network.at_width(width, self.batch_size, training=True)
        T, symbols = network.steps_of(width), network.symbols
        self.batches = LineBatches(
            ops, lines, width, T, symbols, self.batch_size, normalisation, config.effects, config.seed
        )
        B, S, L = self.batches.labels.shape
        self.reached, self.remaining = ops.empty((B, T, 2 * S + 1, L)), ops.empty((B, T, 2 * S + 1, L))
        self.losses, self.dscores = ops.empty((B, L)), ops.empty((B, len(symbols) + 1, T, L))

    def train(self, optimizer: Optimizer, order: Array, first: int, epoch: int, lr_factor: float) -> np.ndarray:
        """Train on one batch and return the losses of its lines."""
        ops = self.network.ops
        optimizer.start_step(lr_factor)
        x, labels, steps, count = self.batches.batch(order, first, epoch, training=True)
        scores = self.network.forward(x, TrainingStep(count, optimizer.count, self.seed))
        ops.ctc_loss(
            scores=scores,
            labels=labels,
            steps=steps,
            count=count,
            reached=self.reached,
            remaining=self.remaining,
            loss=self.losses,
            dscores=self.dscores,
        )
        self.network.backward(self.dscores)
        optimizer.update()
        return ops.download(self.losses).reshape(-1)[:count]
