"""Evaluate a network: loss, accuracy, confusion matrix, class probabilities, mistakes."""

from dataclasses import dataclass
from math import sqrt
from time import perf_counter
from typing import NamedTuple

import numpy as np

from fastdigits.config.training import loss_on
from fastdigits.data.batches import Batches
from fastdigits.errors import NotFiniteError
from fastdigits.nn.network import Network
from fastdigits.ops.interface import Array


@dataclass(frozen=True, eq=False)
class Confusion:
    """The predictions of a network on a set of images.

    Attributes
    ----------
    confusion : int (classes, classes)
        confusion[i, j] is the number of images of class i that are predicted as j.
    """

    confusion: np.ndarray

    @property
    def images(self) -> int:
        """Number of images."""
        return int(self.confusion.sum())

    @property
    def correct(self) -> int:
        """Number of correctly predicted images."""
        return int(np.trace(self.confusion))

    @property
    def accuracy(self) -> float:
        """Fraction of correctly predicted images."""
        return self.correct / self.images


@dataclass(frozen=True)
class Evaluation(Confusion):
    """Metrics of a network on a set of images.

    Attributes
    ----------
    loss : float
        Mean loss of the images.
    seconds : float
        Duration of inference.
    """

    loss: float
    seconds: float

    @property
    def interval_95(self) -> tuple[float, float]:
        """Wilson's 95 % confidence interval of the accuracy."""
        return wilson_interval(self.correct, self.images)

    @property
    def per_class(self) -> list[float | None]:
        """Accuracy (recall) on each class; None for a class without images."""
        return _ratios(np.diag(self.confusion), self.confusion.sum(1))

    @property
    def precision(self) -> list[float | None]:
        """Fraction of the predictions of each class that are right; None for a class that is never predicted."""
        return _ratios(np.diag(self.confusion), self.confusion.sum(0))

    @property
    def f1(self) -> list[float | None]:
        """Harmonic mean of precision and recall of each class; None for a class without images and predictions."""
        return _ratios(2 * np.diag(self.confusion), self.confusion.sum(0) + self.confusion.sum(1))

    @property
    def macro_f1(self) -> float:
        """Mean of the F1 of all classes that have images: every class counts the same, however rare it is."""
        return float(np.mean([f1 for f1, images in zip(self.f1, self.confusion.sum(1), strict=True) if images]))


def _ratios(counts: np.ndarray, totals: np.ndarray) -> list[float | None]:
    return [float(count / total) if total else None for count, total in zip(counts, totals, strict=True)]


def evaluate(network: Network, batches: Batches, rows: np.ndarray, loss: str) -> Evaluation:
    """Evaluate a network in inference mode.

    Parameters
    ----------
    network : Network
        Built on the device of the batches.
    batches : Batches
    rows : int (n,)
        Indices of the images to evaluate on.
    loss : str
        A key of LOSSES.

    Raises
    ------
    NotFiniteError
        If a score is NaN or infinite.
    """
    ops, start = network.ops, perf_counter()
    scores, targets, host_scores, host_targets = forward_all(network, batches, rows)
    losses, gradient, total = ops.empty(targets.shape), ops.empty(scores.shape), ops.zeros((1,), np.float64)
    loss_on(ops, loss)(scores, targets, len(rows), 0.0, losses, gradient)
    ops.accumulate(losses, total)
    predicted, true = host_scores.argmax(1).reshape(-1), host_targets.reshape(-1).astype(int)
    predicted, true = predicted[true >= 0], true[true >= 0]
    mean_loss = float(ops.download(total)[0]) / len(rows)
    return Evaluation(confusion_matrix(true, predicted, network.classes), mean_loss, perf_counter() - start)


def confusion_matrix(true: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count the images of each true class (row) by predicted class (column)."""
    return np.bincount(true.astype(int) * classes + predicted, minlength=classes**2).reshape(classes, -1)


def probabilities(network: Network, batches: Batches, rows: np.ndarray) -> np.ndarray:
    """Return the class probabilities, float32 (n, classes), of the images with the indices `rows`.

    Raises
    ------
    NotFiniteError
        If a score is NaN or infinite.
    """
    ops = network.ops
    scores, _, _, host_targets = forward_all(network, batches, rows)
    p = ops.empty(scores.shape)
    ops.softmax(scores, p)
    by_image = np.moveaxis(ops.download(p), -1, 1).reshape(-1, network.classes)
    return by_image[host_targets.reshape(-1) >= 0]


class Scores(NamedTuple):
    """The scores of images, and their labels; each also as a copy on the host.

    Attributes
    ----------
    scores, host_scores : float32 (B, classes, L)
    targets, host_targets : float32 (B, L)
        The labels; -1 in the empty lanes at the end of each batch.
    """

    scores: Array
    targets: Array
    host_scores: np.ndarray
    host_targets: np.ndarray


def forward_all(network: Network, batches: Batches, rows: np.ndarray) -> Scores:
    """Run the network on the images with the indices `rows`, batch by batch.

    Raises
    ------
    NotFiniteError
        If a score of an image is NaN or infinite.
    """
    ops = network.ops
    batch_blocks = len(batches.targets)
    count = -(-len(rows) // batches.batch_size) * batch_blocks
    scores, targets = ops.empty((count, network.classes, ops.lanes)), ops.empty((count, ops.lanes))
    with np.errstate(over="ignore", invalid="ignore"):  # on the reference device; an error says more than a warning
        for number, (x, t, _) in enumerate(batches.over(ops.upload(rows.astype(np.int32)))):
            at = slice(number * batch_blocks, (number + 1) * batch_blocks)
            scores[at], targets[at] = network.forward(x), t
    found = Scores(scores, targets, ops.download(scores), ops.download(targets))
    check_finite(found.host_scores, found.host_targets)
    return found


def check_finite(scores: np.ndarray, targets: np.ndarray) -> None:
    """Check the scores (B, classes, L) of all images; empty lanes, where targets (B, L) is -1, do not matter.

    Scores say more than probabilities: softmax turns minus infinity into 0, which looks like an answer.

    Raises
    ------
    NotFiniteError
        If a score is NaN or infinite.
    """
    if np.isfinite(scores).all():  # almost always, in 3 us for one image
        return
    if not np.isfinite(np.moveaxis(scores, 1, -1)[targets >= 0]).all():
        raise NotFiniteError


def wilson_interval(correct: int, images: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a proportion.

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical inference.
    """
    z = 1.959964
    p, spread = correct / images, z * z / images
    middle = p + spread / 2
    reach = z * sqrt((p * (1 - p) + spread / 4) / images)
    return max(0.0, (middle - reach) / (1 + spread)), min(1.0, (middle + reach) / (1 + spread))


def worst_mistakes(probabilities: np.ndarray, labels: np.ndarray, max_count: int) -> np.ndarray:
    """Return the indices of wrongly predicted images in order of increasing probability of the true class.

    Parameters
    ----------
    probabilities : float32 (N, classes)
    labels : uint8 (N,)
    max_count : int
        Maximum number of indices.
    """
    rows = np.flatnonzero(probabilities.argmax(1) != labels)
    return rows[probabilities[rows, labels[rows]].argsort(kind="stable")][:max_count]


def correct_and_wrong(probabilities: np.ndarray, labels: np.ndarray, max_count: int) -> dict[str, np.ndarray]:
    """Return the indices of correctly and of wrongly predicted images, evenly spaced over the data set.

    Parameters
    ----------
    probabilities : float32 (N, classes)
    labels : uint8 (N,)
    max_count : int
        Maximum number of indices of each kind.

    Returns
    -------
    dict of int (n,), with the keys "Correct" and "Wrong"
    """
    correct = probabilities.argmax(1) == labels
    return {"Correct": _evenly_spaced(correct, max_count), "Wrong": _evenly_spaced(~correct, max_count)}


def _evenly_spaced(mask: np.ndarray, max_count: int) -> np.ndarray:
    rows = np.flatnonzero(mask)
    return rows[np.linspace(0, len(rows) - 1, min(max_count, len(rows))).round().astype(int)] if len(rows) else rows
