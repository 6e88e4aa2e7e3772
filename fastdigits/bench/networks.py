"""Our own contenders: a training step and an inference pass on one of our devices."""

from collections.abc import Iterator
from copy import deepcopy
from typing import cast

import numpy as np

from fastdigits.bench.workload import Contender, Workload
from fastdigits.data.batches import Batches
from fastdigits.nn import Network
from fastdigits.ops import inference_ops
from fastdigits.ops.array import blocks
from fastdigits.ops.interface import Array, Ops
from fastdigits.training.trainer import Trainer

EPOCH_STEPS = 469  # of the trainer, as on MNIST with batches of 128


def training(workload: Workload, ops: Ops) -> Contender:
    """Return the contender that runs training steps: forward, loss, backward, AdamW and the metrics of the epoch."""
    network, batch = build_network(workload, ops, training=True), OneBatch(workload, ops)
    size = batch.batch_size
    trainer = Trainer(network, cast(Batches, batch), workload.recipe, np.zeros(EPOCH_STEPS * size, np.int32))
    # A learning rate of 0 costs the same and prevents gradients from shrinking to denormals, which are slow.
    trainer.lr_factors = [0.0] * EPOCH_STEPS
    done = 0  # steps of the epoch

    def run(steps: int) -> None:
        nonlocal done
        while steps:
            times = min(steps, EPOCH_STEPS - done)
            trainer.step(done * size, size, times)
            done, steps = (done + times) % EPOCH_STEPS, steps - times
        trainer.metrics(1)  # waits for an asynchronous device

    def outputs() -> dict[str, np.ndarray]:
        run(1)
        return {name: ops.download(parameter.gradient) for name, parameter in network.parameters().items()}

    return Contender(f"fastdigits {ops.device}", "", run, outputs, ops.device)


def inference(workload: Workload, ops: Ops) -> Contender:
    """Return the contender that computes the scores of the batch in inference mode."""
    ops = inference_ops(ops, len(workload.images))
    built, x = build_network(workload, ops, training=False), pack_images(ops, workload.images)
    network = built.inference_copy(ops, len(workload.images))
    forward = ops.captured(lambda: network.forward(x))

    def run(steps: int) -> None:
        for _ in range(steps):
            scores = forward()
        ops.download(scores[:1])  # waits for an asynchronous device

    def outputs() -> dict[str, np.ndarray]:
        scores = np.empty((len(workload.images), network.classes), np.float32)
        ops.unpack(forward(), scores)
        return {"scores": scores}

    return Contender(f"fastdigits {ops.device}", "", run, outputs, ops.device)


class OneBatch:
    """Replacement for `Batches` in a trainer: the workload's batch, which stays on the device."""

    def __init__(self, workload: Workload, ops: Ops):
        self.x, self.targets = pack_images(ops, workload.images), pack_labels(ops, workload.labels)
        self.batch_size = len(workload.labels)
        self.start, self.epoch = ops.zeros((1,), np.int64), ops.zeros((1,), np.int64)

    def parts(self, order: Array, images: int, training: bool) -> Iterator[tuple[Array, Array, int]]:
        """Yield the batch as (x, targets, number of images)."""
        yield self.x, self.targets, self.batch_size


def build_network(workload: Workload, ops: Ops, training: bool) -> Network:
    """Return the workload's network with its weights, built on a device."""
    network = deepcopy(workload.network)
    network.build(ops, len(workload.images), training)
    network.set_weights(workload.weights)
    return network


def pack_images(ops: Ops, images: np.ndarray) -> Array:
    """Return images (N, C, H, W) as a batch (B, C, H, W, L) on a device."""
    x = ops.empty((blocks(len(images), ops.lanes), *images.shape[1:], ops.lanes))
    ops.pack(images, x)
    return x


def pack_labels(ops: Ops, labels: np.ndarray) -> Array:
    """Return labels (N,) as targets (B, L) on a device, -1 in empty lanes."""
    targets = np.full((blocks(len(labels), ops.lanes), ops.lanes), -1, np.float32)
    targets.reshape(-1)[: len(labels)] = labels
    return ops.upload(targets)
