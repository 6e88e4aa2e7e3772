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
from fastdigits.inference.evaluate import Evaluation, check_finite, evaluate, probabilities
from fastdigits.nn.network import Network
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
        if self.single_ops and len(images) <= devices.MAX_SEQUENTIAL_IMAGES:
            with self._copies.lend(1, self._new_single_image) as single_image:
                return single_image.probabilities(images)
        # A batch takes the same time if most of it is empty
        batch_size = self.ops.lanes if len(images) <= FEW_IMAGES else EVALUATION_BATCH
        some = images[: FEW_IMAGES + 1]
        with (
            planned(lambda rehearsal: self.deferred(rehearsal).probabilities(some)),
            self._copies.lend(batch_size, partial(self._new_copy, batch_size)) as network,
        ):
            batches = Batches(network.ops, images, None, batch_size, self.normalisation)
            return probabilities(network, batches, np.arange(len(images)))

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
            self._copies.lend(EVALUATION_BATCH, partial(self._new_copy, EVALUATION_BATCH)) as network,
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

    def _new_copy(self, batch_size: int) -> Network:
        return self.network.inference_copy(self.ops, batch_size)

    def _new_single_image(self) -> "SingleImage":
        """Return a copy for single images, with its kernels compiled, so that calls need not look for a plan."""

        def new(pool: NetworkPool) -> SingleImage:
            assert pool.single_ops
            single_image = SingleImage(pool.network.inference_copy(pool.single_ops, 1), pool.normalisation)
            single_image.forward()
            return single_image

        with planned(lambda rehearsal: new(self.deferred(rehearsal))):
            return new(self)


class SingleImage:
    """Prediction of one image after another with the lowest latency.

    After some calls, the forward pass is a single call of compiled code, which other threads need not wait for.

    Parameters
    ----------
    network : Network
        Built for batches of one image, on operations with a single lane.
    normalisation : Normalisation
    """

    def __init__(self, network: Network, normalisation: Normalisation):
        self.network, ops, edges = network, network.ops, 2 * normalisation.preparation.pad
        C, H, W = network.input_shape
        self.batches = Batches(ops, np.zeros((1, H - edges, W - edges), np.uint8), None, 1, normalisation)
        self.row = ops.zeros((1,), np.int32)
        self.forward = ops.captured(self._forward)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return the class probabilities, float32 (N, classes), of images uint8 (N, H, W).

        Raises
        ------
        NotFiniteError
            If a score is NaN or infinite.
        """
        scores = np.empty((len(images), self.network.classes, 1), np.float32)
        for number in range(len(images)):
            self.batches.replace(images[number : number + 1])
            scores[number] = self.forward()[0]
        check_finite(scores, np.zeros((len(images), 1)))
        p = np.empty_like(scores)
        softmax(scores, p)
        return p[..., 0]

    def _forward(self) -> Array:
        [(x, _, _)] = self.batches.parts(self.row, 1)
        return self.network.forward(x)
