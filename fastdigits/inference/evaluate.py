"""What a network gets right."""

from dataclasses import dataclass
from math import sqrt
from time import perf_counter

import numpy as np

from fastdigits.config.training import LOSSES
from fastdigits.data.batches import Batches
from fastdigits.nn.network import Network
from fastdigits.ops.interface import Array


@dataclass(frozen=True)
class Evaluation:
    """The outcome on a set of images; confusion[i, j] counts images of digit i read as j."""

    confusion: np.ndarray
    loss: float
    seconds: float

    @property
    def images(self) -> int:
        """How many images were read."""
        return int(self.confusion.sum())

    @property
    def correct(self) -> int:
        """How many were read right."""
        return int(np.trace(self.confusion))

    @property
    def accuracy(self) -> float:
        """The share that was read right."""
        return self.correct / self.images

    @property
    def interval_95(self) -> tuple[float, float]:
        """Wilson's interval, which holds the true accuracy with 95 % confidence."""
        return wilson_interval(self.correct, self.images)

    @property
    def per_class(self) -> list[float | None]:
        """The share of each digit's images that was read right; None where there is none."""
        return [float(row[digit] / row.sum()) if row.sum() else None for digit, row in enumerate(self.confusion)]


def evaluate(network: Network, batches: Batches, rows: np.ndarray, loss: str) -> Evaluation:
    """Read the images of the given rows (int32) with a network that is built on the device of the batches."""
    ops, start = network.ops, perf_counter()
    scores, targets = forward_all(network, batches, rows)
    losses, gradient, total = ops.empty(targets.shape), ops.empty(scores.shape), ops.zeros((1,), np.float64)
    getattr(ops, LOSSES[loss])(scores, targets, len(rows), 0.0, losses, gradient)
    ops.accumulate(losses, total)
    read, true = ops.download(scores).argmax(1).reshape(-1), ops.download(targets).reshape(-1).astype(int)
    read, true = read[true >= 0], true[true >= 0]
    mean_loss = float(ops.download(total)[0]) / len(rows)
    return Evaluation(confusion(true, read, network.classes), mean_loss, perf_counter() - start)


def confusion(true: np.ndarray, read: np.ndarray, classes: int) -> np.ndarray:
    """How many images of each class (row) were read as each (column)."""
    return np.bincount(true.astype(int) * classes + read, minlength=classes**2).reshape(classes, -1)


def probabilities(network: Network, batches: Batches, rows: np.ndarray) -> np.ndarray:
    """The probability of each class, float32 (N, classes), for the images of the given rows."""
    ops = network.ops
    scores, targets = forward_all(network, batches, rows)
    shares = ops.empty(scores.shape)
    ops.softmax(scores, shares)
    by_image = np.moveaxis(ops.download(shares), -1, 1).reshape(-1, network.classes)
    return by_image[ops.download(targets).reshape(-1) >= 0]


def forward_all(network: Network, batches: Batches, rows: np.ndarray) -> tuple[Array, Array]:
    """The network's scores (B, classes, L) for the images of the given rows, and their targets (B, L), on the device.

    Empty lanes, which the end of each batch may have, have the target -1.
    """
    ops = network.ops
    in_batch = len(batches.targets)
    count = -(-len(rows) // batches.batch_size) * in_batch
    scores, targets = ops.empty((count, network.classes, ops.lanes)), ops.empty((count, ops.lanes))
    for number, (x, t, _) in enumerate(batches.over(ops.upload(rows.astype(np.int32)))):
        at = slice(number * in_batch, (number + 1) * in_batch)
        scores[at], targets[at] = network.forward(x), t
    return scores, targets


def wilson_interval(correct: int, images: int) -> tuple[float, float]:
    """The 95 % interval of a proportion.

    Wilson (1927), Probable inference, the law of succession, and statistical inference.
    """
    z = 1.959964
    p, spread = correct / images, z * z / images
    middle = p + spread / 2
    reach = z * sqrt((p * (1 - p) + spread / 4) / images)
    return max(0.0, (middle - reach) / (1 + spread)), min(1.0, (middle + reach) / (1 + spread))


def worst_mistakes(probabilities: np.ndarray, labels: np.ndarray, most: int) -> np.ndarray:
    """The rows of misread images, those first whose true class was thought least probable.

    Parameters
    ----------
    probabilities : float32 (N, classes)
    labels : uint8 (N,)
    most : int
        No more than so many.
    """
    rows = np.flatnonzero(probabilities.argmax(1) != labels)
    return rows[probabilities[rows, labels[rows]].argsort(kind="stable")][:most]


def correct_and_wrong(probabilities: np.ndarray, labels: np.ndarray, most: int) -> dict[str, np.ndarray]:
    """The rows of images that were read right, and of those that were not: of each no more than so many, evenly spread.

    Parameters
    ----------
    probabilities : float32 (N, classes)
    labels : uint8 (N,)
    most : int
    """
    right = probabilities.argmax(1) == labels
    return {"Read right": _spread(right, most), "Misread": _spread(~right, most)}


def _spread(chosen: np.ndarray, most: int) -> np.ndarray:
    rows = np.flatnonzero(chosen)
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)] if len(rows) else rows
