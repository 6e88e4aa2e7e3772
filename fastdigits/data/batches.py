"""Batches: gather images from a data set on a device, normalize them and pack them into lanes."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastdigits.data.preprocessing import Normalisation
from fastdigits.ops.array import blocks
from fastdigits.ops.batch import NO_EFFECTS, Effects
from fastdigits.ops.interface import Array, Ops


class Batches:
    """A data set on a device that yields batches (B, 1, H, W, L).

    Parameters
    ----------
    ops : Ops
    images : uint8 (N, H, W)
    labels : uint8 (N,) or None
        None for inference; the targets of all images are then 0.
    batch_size : int
        Maximum number of images in a batch. If it is not a multiple of ops.lanes, the last lanes are empty.
    normalisation : Normalisation
        Includes the preparation, which is applied once, on construction.
    effects : Effects
        Random changes to training images.
    seed : int
        Seed of these changes.
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
        self.x = ops.empty((count, 1, *images.shape[1:], ops.lanes))
        self.targets = ops.empty((count, ops.lanes))
        self.pixels = self.x.reshape(count, -1, ops.lanes)
        self.start, self.epoch = ops.zeros((1,), np.int64), ops.zeros((1,), np.int64)
        self.scale = np.float32(1 / (255 * normalisation.std))
        self.shift = np.float32(-normalisation.mean / normalisation.std)

    def replace(self, images: np.ndarray) -> None:
        """Replace the first images by others of the same shape and type, at the same address on the device."""
        self.images[: len(images)] = self.ops.upload(self.normalisation.preparation.apply(images))

    def over(self, order: Array) -> Iterator[tuple[Array, Array, int]]:
        """Yield (x, targets, number of images) for all images in `order`, int32 indices on the device."""
        self.seek(0)
        return self.parts(order, len(order))

    def seek(self, first: int, epoch: int = 0) -> None:
        """Write to the device where `parts` begins.

        Parameters
        ----------
        first : int
            Position in `order` of the first image.
        epoch : int
            Epoch of the random changes.
        """
        self.start[...], self.epoch[...] = first, epoch

    def parts(self, order: Array, images: int, training: bool = False) -> Iterator[tuple[Array, Array, int]]:
        """Yield (x, targets, number of images) for the next `images` images of `order`, a batch at a time.

        The device must hold the position of the first image and the epoch, see `seek`. Each batch overwrites the arrays
        of the previous one. With `training` the images are changed at random, differently in every epoch.
        """
        for done in range(0, images, self.batch_size):
            count = min(self.batch_size, images - done)
            arguments: dict[str, Any] = {
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
                changes: dict[str, Any] = {"seed": self.seed, "epoch": self.epoch, "effects": self.effects}
                self.ops.augment_batch(images=self.images, **changes, **arguments)
            else:
                self.ops.gather_batch(images=self.rows, **arguments)
            yield self.x, self.targets, count
