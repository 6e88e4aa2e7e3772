"""Train a network batch by batch, on images that the caller passes one batch at a time."""

from typing import Any

import numpy as np

from fastdigits.config.training import MAX_MICRO_BATCH, TrainConfig
from fastdigits.data.batches import Batches
from fastdigits.data.preprocessing import Normalisation
from fastdigits.nn.network import Network
from fastdigits.ops.interface import Ops
from fastdigits.training.failure import TrainingFailed
from fastdigits.training.precompile import compile_kernels
from fastdigits.training.trainer import Trainer


class OnlineTrainer:
    """Training steps on batches of any size up to that of the settings, or that of the first batch if it is larger.

    Parameters
    ----------
    network : Network
    images : uint8 (N, H, W)
        The first batch.
    labels : uint8 (N,)
    ops : Ops
    config : TrainConfig
        The learning rate is constant.
    normalisation : Normalisation, optional
        Of a trained network; that of the first batch by default.
    weights : dict, optional
        Network.weights() of a trained network; random ones by default.
    """

    def __init__(
        self,
        network: Network,
        images: np.ndarray,
        labels: np.ndarray,
        ops: Ops,
        config: TrainConfig,
        normalisation: Normalisation | None = None,
        weights: dict[str, np.ndarray] | None = None,
    ):
        self.config, self.max_images = config, max(config.batch_size or 0, len(images))
        rows = np.arange(self.max_images, dtype=np.int32)
        images = np.resize(images, (self.max_images, *images.shape[1:]))
        labels = np.resize(labels, self.max_images)
        if normalisation is None:
            preparation = config.preparation.following(images, rows)
            normalisation = Normalisation(0.0, 1.0, preparation)
            if config.normalise:
                normalisation = Normalisation.of(images, rows, preparation)
        self.normalisation = normalisation
        network.freeze(config.frozen_layers)
        network.build(ops, min(self.max_images, MAX_MICRO_BATCH), fused=config.fused)
        batches = Batches(ops, images, labels, network.batch_size, normalisation, config.effects, config.seed)
        compile_kernels(network, batches, config, weighted=True)
        network.initialise(config.seed)
        if weights:
            network.set_weights(weights)
        self.trainer = Trainer(network, batches, config, rows, np.ones(self.max_images))
        self.trainer.order[...] = self.trainer.rows

    def step(self, images: np.ndarray, labels: np.ndarray, weights: np.ndarray | None) -> tuple[float, float]:
        """Train on up to `max_images` images, with weights float32 (N,), and return (mean loss, accuracy).

        Raises
        ------
        TrainingFailed
            If the loss is NaN or infinite.
        """
        trainer, batches, count = self.trainer, self.trainer.batches, len(images)
        upload: Any = trainer.ops.upload
        batches.images[:count] = upload(self.normalisation.preparation.apply(images))
        batches.labels[:count] = upload(labels.reshape(-1, 1))
        trainer.ordered_weights[:count] = upload(np.ones(count, np.float32) if weights is None else weights)
        trainer.epoch += 1  # each step has random changes of its own
        trainer.reset_metrics()
        trainer.step(0, count)
        loss, accuracy = trainer.metrics(count)
        if not np.isfinite(loss):
            raise TrainingFailed("The loss is not finite after this step; lower the learning rate lr.")
        return loss, accuracy

    def snapshot(self) -> Network:
        """Return a network for inference with a copy of the weights, or of their moving averages."""
        network = self.trainer.network
        with self.trainer.using_evaluation_weights():
            weights = network.weights()
        copy = Network(network.layers, network.input_shape)
        copy.build(network.ops, network.ops.lanes, training=False, fused=network.fused)
        copy.set_weights(weights)
        return copy
