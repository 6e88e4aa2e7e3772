"""The contenders of this package: a training step and an inference pass on one of its devices."""

from collections.abc import Iterator
from copy import deepcopy

import numpy as np

from fastdigits.bench.workload import Contender, Workload
from fastdigits.nn import Network
from fastdigits.ops import inference_ops
from fastdigits.ops.array import blocks
from fastdigits.ops.interface import Array, Ops
from fastdigits.training.trainer import Trainer


class OneBatch:
    """The workload's batch on a device, in place of a data set's: always the same one, and there already."""

    def __init__(self, workload: Workload, ops: Ops):
        self.x, self.targets = packed(ops, workload.images), packed_labels(ops, workload.labels)
        self.batch_size = len(workload.labels)

    def step_scalars(self, first: int, epoch: int) -> tuple:
        """It needs none."""
        return ()

    def parts(self, order: Array, images: int, training: bool) -> Iterator[tuple[Array, Array, int]]:
        """It as (x, targets, number of images)."""
        yield self.x, self.targets, self.batch_size


def training(workload: Workload, ops: Ops) -> Contender:
    """A training step: scores, loss, gradients, AdamW and the running figures of an epoch."""
    network, batch = built(workload, ops, training=True), OneBatch(workload, ops)
    trainer = Trainer(network, batch, workload.recipe, np.arange(batch.batch_size, dtype=np.int32))

    def run(steps: int) -> None:
        for _ in range(steps):
            # With a rate of 0 the work is the same, but no gradient fades into numbers so small that they are slow.
            trainer.step(0, batch.batch_size, 0.0)
        trainer.metrics(1)  # waits for a device that works by itself

    def outputs() -> dict[str, np.ndarray]:
        run(1)
        return {name: ops.download(parameter.gradient) for name, parameter in network.parameters().items()}

    return Contender(f"fastdigits {ops.device}", "", run, outputs, ops.device)


def inference(workload: Workload, ops: Ops) -> Contender:
    """The scores of a batch, without anything that only training needs."""
    ops = inference_ops(ops, len(workload.images))
    network, x = built(workload, ops, training=False), packed(ops, workload.images)
    forward = ops.captured(lambda: network.forward(x))

    def run(steps: int) -> None:
        for _ in range(steps):
            scores = forward()
        ops.download(scores[:1])  # waits for a device that works by itself

    def outputs() -> dict[str, np.ndarray]:
        scores = np.empty((len(workload.images), network.classes), np.float32)
        ops.unpack(forward(), scores)
        return {"scores": scores}

    return Contender(f"fastdigits {ops.device}", "", run, outputs, ops.device)


def built(workload: Workload, ops: Ops, training: bool) -> Network:
    """The workload's network on a device."""
    network = deepcopy(workload.network)
    network.build(ops, len(workload.images), training)
    network.set_weights(workload.weights)
    return network


def packed(ops: Ops, images: np.ndarray) -> Array:
    """Images as a batch (B, C, H, W, L) on a device."""
    x = ops.empty((blocks(len(images), ops.lanes), *images.shape[1:], ops.lanes))
    ops.pack(images, x)
    return x


def packed_labels(ops: Ops, labels: np.ndarray) -> Array:
    """Labels as targets (B, L) on a device, -1 in empty lanes."""
    targets = np.full((blocks(len(labels), ops.lanes), ops.lanes), -1, np.float32)
    targets.reshape(-1)[: len(labels)] = labels
    return ops.upload(targets)
