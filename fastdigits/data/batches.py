"""Batches: a data set on the device, from which any rows are gathered, normalised and packed."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastdigits.data.preprocessing import Normalisation
from fastdigits.ops.array import blocks
from fastdigits.ops.batch import NO_EFFECTS, Effects
from fastdigits.ops.interface import Array, Ops


class Batches:
    """A data set as batches (B, C, H, W, L) of one channel on a device.

    Parameters
    ----------
    ops : Ops
    images : uint8 (N, H, W)
    labels : uint8 (N,) or None
        None to infer: the targets of all images are 0 then.
    batch_size : int
        The most images of a batch; its last lanes stay empty where that is no multiple of ops.lanes.
    normalisation : Normalisation
        With the preparation, which comes first.
    effects : Effects
        How much training images are changed at random.
    seed : int
        Of these changes.
    """

    def __init__(
        self,
        ops: Ops,
        images: np.ndarray,
        labels: np.ndarray | None,
        batch_size: int,
        normalisation: Normalisation,
        effects: Effects = NO_EFFECTS,
        seed: int = 0,
    ):
        self.ops, self.batch_size, self.normalisation = ops, batch_size, normalisation
        self.effects, self.seed = effects, seed
        images = normalisation.preparation.apply(images)
        self.images = ops.upload(images)
        self.rows = self.images.reshape(len(images), -1)
        self.labels = ops.zeros((len(images), 1), np.uint8) if labels is None else ops.upload(labels.reshape(-1, 1))
        count = blocks(batch_size, ops.lanes)
        self.x = ops.zeros((count, 1, *images.shape[1:], ops.lanes))
        self.targets = ops.zeros((count, ops.lanes))
        self.pixels = self.x.reshape(count, -1, ops.lanes)
        self.start, self.epoch = ops.zeros((1,), np.int64), ops.zeros((1,), np.int64)
        self.scale = np.float32(1 / (255 * normalisation.std))
        self.shift = np.float32(-normalisation.mean / normalisation.std)

    def over(self, order: Array) -> Iterator[tuple[Array, Array, int]]:
        """Yield (x, targets, number of images) for the images of all rows in `order` (int32, on the device)."""
        self.ops.write(self.step_scalars(0))
        return self.parts(order, len(order))

    def step_scalars(self, first: int, epoch: int = 0) -> tuple[tuple[Array, int], ...]:
        """What tells `parts` where to begin and how to change images: for ops.write, before it."""
        return (self.start, first), (self.epoch, epoch)

    def parts(self, order: Array, images: int, training: bool = False) -> Iterator[tuple[Array, Array, int]]:
        """Yield (x, targets, number of images) for so many images of `order` from start[0] on, a batch at a time.

        The arrays are the same every time, filled anew. With `training` the images are changed as in the epoch
        epoch[0], without it they stay as they are.
        """
        for done in range(0, images, self.batch_size):
            count = min(self.batch_size, images - done)
            batch: dict[str, Any] = {
                "labels": self.labels,
                "order": order[done:],
                "start": self.start,
                "count": count,
                "scale": self.scale,
                "shift": self.shift,
                "x": self.pixels,
                "targets": self.targets,
            }
            if training and any(self.effects):
                self.ops.augment_batch(
                    images=self.images, seed=self.seed, epoch=self.epoch, effects=self.effects, **batch
                )
            else:
                self.ops.gather_batch(images=self.rows, **batch)
            yield self.x, self.targets, count
