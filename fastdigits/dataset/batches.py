"""Batches: a data set on the device, from which any rows are gathered, normalised and packed."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastdigits.ops.array import blocks


@dataclass(frozen=True)
class Normalisation:
    """Pixels 0 .. 255 become (pixel / 255 - mean) / std."""

    mean: float
    std: float

    @classmethod
    def of(cls, images: np.ndarray, rows: np.ndarray) -> "Normalisation":
        """The mean and standard deviation of all pixels of some rows of uint8 images; std 1 if all are equal."""
        counts = np.zeros(256, np.int64)
        for start in range(0, len(rows), 256):  # few at a time: counting makes eight bytes of each pixel
            counts += np.bincount(images[rows[start : start + 256]].reshape(-1), minlength=256)
        values, pixels = np.arange(256) / 255, counts.sum()
        mean = float(counts @ values / pixels)
        std = float(np.sqrt(counts @ (values - mean) ** 2 / pixels))
        return cls(mean, std or 1.0)


class Batches:
    """A data set as batches (B, C, H, W, L) of one channel on a device.

    Parameters
    ----------
    ops : Ops
    images : uint8 (N, H, W)
    labels : uint8 (N,)
    batch_size : int
        The most images of a batch; its last lanes stay empty where that is no multiple of ops.lanes.
    normalisation : Normalisation
    """

    def __init__(self, ops: Any, images: np.ndarray, labels: np.ndarray, batch_size: int, normalisation: Normalisation):
        self.ops, self.batch_size, self.normalisation = ops, batch_size, normalisation
        self.images = ops.upload(images.reshape(len(images), -1))
        self.labels = ops.upload(labels.reshape(-1, 1))
        count = blocks(batch_size, ops.lanes)
        self.x = ops.zeros((count, 1, *images.shape[1:], ops.lanes))
        self.targets = ops.zeros((count, ops.lanes))
        self.pixels = self.x.reshape(count, -1, ops.lanes)
        self.start = ops.zeros((1,), np.int64)
        self.scale = np.float32(1 / (255 * normalisation.std))
        self.shift = np.float32(-normalisation.mean / normalisation.std)

    def over(self, order: Any, first: int = 0, last: int | None = None):
        """Yield (x, targets, number of images) for the rows order[first:last] (int32, on the device), in that order.

        The arrays are the same every time, filled anew.
        """
        last = len(order) if last is None else last
        for start in range(first, last, self.batch_size):
            count = min(self.batch_size, last - start)
            self.start[0] = start
            self.ops.gather_batch(
                self.images, self.labels, order, self.start, count, self.scale, self.shift, self.pixels, self.targets
            )
            yield self.x, self.targets, count
