"""Inference with one trained network by any number of threads."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from fastdigits import ops as devices
from fastdigits.config.training import EVALUATION_BATCH
from fastdigits.data.batches import Batches
from fastdigits.data.preprocessing import Normalisation
from fastdigits.inference.evaluate import Evaluation, evaluate, probabilities
from fastdigits.nn.network import INFERENCE_MICRO_BATCH, Network


class NetworkPool:
    """Copies of a trained network that share its parameters, one for each call that runs at the same time.

    A network overwrites its buffers in every call, so two threads must not run it at once. Each call therefore takes
    a copy that no other call is using, or makes one, and puts it back.

    Parameters
    ----------
    network : Network
        Built, with weights that do not change any more.
    normalisation : Normalisation
    low_latency : bool
        Whether to predict up to MAX_SEQUENTIAL_IMAGES images one after the other. That is faster, but rounds
        differently: otherwise, the prediction for an image does not depend on the number of images.
    """

    def __init__(self, network: Network, normalisation: Normalisation, low_latency: bool = False):
        self.network, self.normalisation, self.low_latency = network, normalisation, low_latency
        self._idle: dict[int, list[Network]] = {}  # by batch size; operations on a list are atomic

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return the class probabilities, float32 (N, classes), of images uint8 (N, H, W)."""
        with self._copy(len(images)) as network:
            batches = Batches(network.ops, images, None, network.batch_size, self.normalisation)
            return probabilities(network, batches, np.arange(len(images)))

    def evaluate(self, images: np.ndarray, labels: np.ndarray, loss: str) -> Evaluation:
        """Evaluate the network on images uint8 (N, H, W) with labels uint8 (N,); `loss` is a key of LOSSES."""
        with self._copy(EVALUATION_BATCH) as network:
            batches = Batches(network.ops, images, labels, network.batch_size, self.normalisation)
            return evaluate(network, batches, np.arange(len(images)), loss)

    @contextmanager
    def _copy(self, images: int) -> Iterator[Network]:
        """Lend a copy of the network for a number of images."""
        batch_size = self._batch_size(images)
        idle = self._idle.setdefault(batch_size, [])
        try:
            network = idle.pop()
        except IndexError:
            network = self.network.inference_copy(devices.inference_ops(self.network.ops, batch_size), batch_size)
        try:
            yield network
        finally:
            idle.append(network)

    def _batch_size(self, images: int) -> int:
        """Return 1 for the lowest latency, few for few images, because an empty batch takes as long, or many."""
        if self.low_latency and images <= devices.MAX_SEQUENTIAL_IMAGES:
            return 1
        return self.network.ops.lanes if images <= INFERENCE_MICRO_BATCH else EVALUATION_BATCH
