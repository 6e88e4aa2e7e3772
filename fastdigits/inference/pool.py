"""Inference with one trained network by any number of threads."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from functools import partial
from typing import Any

import numpy as np

from fastdigits import ops as devices
from fastdigits.config.training import EVALUATION_BATCH, is_custom_loss
from fastdigits.data.batches import Batches
from fastdigits.data.preprocessing import Normalisation
from fastdigits.inference.evaluate import Evaluation, check_finite, evaluate
from fastdigits.nn.network import INFERENCE_MICRO_BATCH, Network
from fastdigits.ops.interface import Array
from fastdigits.ops.loss.reference import softmax
from fastdigits.ops.runtime.rehearsal import Rehearsal, planned

FEW_IMAGES = 64  # up to here, several small batches take less time than one large batch


class Copies:
    """Copies of a network, each of which one call at a time may use, kept for later calls."""

    def __init__(self) -> None:
        self._idle: dict[Any, list[Any]] = {}  # by key; operations on a list are atomic

    @contextmanager
    def lend(self, key: Any, new: Callable[[], Any]) -> Iterator[Any]:
        """Take a copy that was made for the key and that no other call is using, or make one, and put it back."""
        idle = self._idle.setdefault(key, [])
        try:
            copy = idle.pop()
        except IndexError:
            copy = new()
        try:
            yield copy
        finally:
            idle.append(copy)


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
        Whether to predict up to MAX_SEQUENTIAL_IMAGES images one after the other, on devices where that is faster. It
        rounds differently: otherwise, the prediction for an image does not depend on the number of images.
    """

    def __init__(self, network: Network, normalisation: Normalisation, low_latency: bool = False):
        self.network, self.normalisation, self.ops = network, normalisation, network.ops
        single_ops = devices.inference_ops(network.ops, 1)
        self.single_ops = single_ops if low_latency and single_ops is not network.ops else None
        self._copies = Copies()

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return the class probabilities, float32 (N, classes), of images uint8 (N, H, W).

        Raises
        ------
        UserError
            If the images do not fit the network.
        NotFiniteError
            If a score is NaN or infinite.
        """
        self.check(images, None)
        scores = np.empty((len(images), self.network.classes, 1), np.float32)
        for part, batch_size in self._parts(len(images)):
            with self._copies.lend(batch_size, partial(self._new_batch, batch_size)) as batch:
                batch.compute(images[part], scores[part, :, 0])
        check_finite(scores, np.zeros((len(images), 1)))
        p = np.empty_like(scores)
        softmax(scores, p)
        return p[..., 0]

    def _parts(self, images: int) -> Iterator[tuple[slice, int]]:
        """Yield parts of the images, each with the number of images to predict at a time."""
        if self.single_ops and images <= devices.MAX_SEQUENTIAL_IMAGES:
            yield slice(images), 1
            return
        large = INFERENCE_MICRO_BATCH if self.ops.prefers_micro_batches else EVALUATION_BATCH
        few = images % large if images % large <= FEW_IMAGES else 0
        if few < images:
            yield slice(images - few), large
        if few:
            yield slice(images - few, images), self.ops.lanes

    def evaluate(self, images: np.ndarray, labels: np.ndarray, loss: str) -> Evaluation:
        """Evaluate the network on images uint8 (N, H, W) with labels uint8 (N,); `loss` is a key of LOSSES.

        Raises
        ------
        UserError
            If the images or labels do not fit the network.
        NotFiniteError
            If a score is NaN or infinite.
        """
        self.check(images, labels)
        custom = is_custom_loss(loss)
        with (
            planned(lambda rehearsal: self.deferred(rehearsal, custom).evaluate(images[:1], labels[:1], loss)),
            self._copies.lend(
                "evaluation", partial(self.network.inference_copy, self.ops, EVALUATION_BATCH)
            ) as network,
        ):
            batches = Batches(network.ops, images, labels, EVALUATION_BATCH, self.normalisation)
            return evaluate(network, batches, np.arange(len(images)), loss)

    def check(self, images: np.ndarray, labels: np.ndarray | None) -> None:
        """Raise UserError if images or labels do not fit the network; see `Network.check_images`."""
        self.network.check_images(images, labels, self.normalisation.preparation.pad)

    def deferred(self, rehearsal: Rehearsal, custom: bool = False) -> "NetworkPool":
        """Return a pool with the same parameters whose operations do not run; see `Rehearsal.defer`."""
        custom |= self.network.has_custom_layers
        pool = copy(self)
        pool.ops, pool._copies = rehearsal.defer(self.ops, custom), Copies()
        pool.single_ops = self.single_ops and rehearsal.defer(self.single_ops, custom)
        return pool

    def _new_batch(self, size: int) -> "ReplayedBatch":
        """Return a batch on a copy of the network, with its kernels compiled, so that calls need no plan."""

        def new(pool: NetworkPool) -> ReplayedBatch:
            ops = pool.single_ops if size == 1 and pool.single_ops else pool.ops
            batch = ReplayedBatch(pool.network.inference_copy(ops, size), pool.normalisation, size)
            batch.forward()
            return batch

        with planned(lambda rehearsal: new(self.deferred(rehearsal))):
            return new(self)


class ReplayedBatch:
    """Prediction of a fixed number of images at a time, whose operations are recorded once and then replayed.

    A batch takes the same time if most of it is empty.

    Parameters
    ----------
    network : Network
        Built for inference in batches of this size.
    normalisation : Normalisation
    size : int
    """

    def __init__(self, network: Network, normalisation: Normalisation, size: int):
        self.network, self.size, ops, edges = network, size, network.ops, 2 * normalisation.preparation.pad
        C, H, W = network.input_shape
        self.batches = Batches(ops, np.zeros((size, H - edges, W - edges), np.uint8), None, size, normalisation)
        self.rows = ops.upload(np.arange(size, dtype=np.int32))
        self.forward = ops.captured(self._forward)

    def compute(self, images: np.ndarray, scores: np.ndarray) -> None:
        """Fill the scores, float32 (N, classes), of images uint8 (N, H, W)."""
        for first in range(0, len(images), self.size):
            some = images[first : first + self.size]
            self.batches.replace(some)
            self.network.ops.unpack(self.forward(), scores[first : first + len(some)])

    def _forward(self) -> Array:
        [(x, _, _)] = self.batches.parts(self.rows, self.size)
        with np.errstate(over="ignore", invalid="ignore"):  # on the reference device; an error says more than a warning
            return self.network.forward(x)
