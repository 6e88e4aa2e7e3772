"""Several networks, or several looks at an image, that vote with their probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from fastdigits.config.training import EVALUATION_BATCH
from fastdigits.data.batches import Batches
from fastdigits.errors import UserError
from fastdigits.inference.evaluate import Evaluation, confusion, evaluate, probabilities
from fastdigits.nn import Network
from fastdigits.ops.interface import Ops
from fastdigits.storage.weights import SavedNetwork

NO_SHIFT = ((0, 0),)
# Rows down and columns to the right: an image as it is, and moved by one pixel in all eight directions
SHIFTS = tuple((i, j) for i in (0, -1, 1) for j in (0, -1, 1))
MIN_PROBABILITY = 1e-12  # of a probability whose logarithm is taken


@dataclass(frozen=True, eq=False)
class EnsembleEvaluation:
    """What each network reads by itself, and all of them together; their probabilities (N, classes) where wanted."""

    members: list[Evaluation]
    combined: Evaluation
    probabilities: np.ndarray | Any  # None unless wanted


def evaluate_ensemble(
    networks: Sequence[SavedNetwork],
    images: np.ndarray,
    labels: np.ndarray,
    ops: Ops,
    shifts: Sequence[tuple[int, int]] = NO_SHIFT,
) -> EnsembleEvaluation:
    """Read images with every network, and with the mean of their probabilities.

    p[n, k] = mean over shifts of softmax(scores)[n, k] for one network, and the mean of these for all together
    loss = -mean_n log p[n, label of n], whatever loss the networks were trained with

    Parameters
    ----------
    networks : sequence of SavedNetwork
    images : uint8 (N, H, W)
    labels : uint8 (N,)
    ops : Ops
    shifts : sequence of (rows, columns)
        How far the images are moved for each look, before they are prepared: their background is 0 only then.

    Raises
    ------
    UserError
        If the networks do not read the same images or do not tell the same classes, or do not fit the images.

    References
    ----------
    Hansen and Salamon (1990), Neural network ensembles; Krizhevsky, Sutskever and Hinton (2012), ImageNet
    classification with deep convolutional neural networks, section 4.1 (the mean over several looks).
    """
    classes = _check_alike(networks)
    members, total, seconds = [], np.zeros((len(labels), classes), np.float32), 0.0
    for saved in networks:
        network = saved.built(ops, EVALUATION_BATCH)
        network.check_images(images, labels, saved.normalisation.preparation.pad)
        looks = (Batches(ops, shifted(images, *s), None, EVALUATION_BATCH, saved.normalisation) for s in shifts)
        mean, member_s = _mean_probabilities(network, looks, len(labels))
        members.append(_judge(mean, labels, member_s))
        total, seconds = total + mean, seconds + member_s
    mean = total / len(networks)
    return EnsembleEvaluation(members, _judge(mean, labels, seconds), mean)


def evaluate_single(
    saved: SavedNetwork, images: np.ndarray, labels: np.ndarray, ops: Ops, with_probabilities: bool
) -> EnsembleEvaluation:
    """Read images once with one network, and judge it by the loss that it was trained with.

    Raises
    ------
    UserError
        If the network does not fit the images.
    """
    network, loss, rows = saved.built(ops, EVALUATION_BATCH), saved.config["loss"], np.arange(len(labels))
    network.check_images(images, labels, saved.normalisation.preparation.pad)
    batches = Batches(ops, images, labels, EVALUATION_BATCH, saved.normalisation)
    evaluate(network, batches, rows[:1], loss)  # compiles, so that the seconds are those of the work
    result = evaluate(network, batches, rows, loss)
    return EnsembleEvaluation([result], result, probabilities(network, batches, rows) if with_probabilities else None)


def shifted(images: np.ndarray, down: int, right: int) -> np.ndarray:
    """Images (N, H, W) moved by so many rows and columns, with zeros where they were; what leaves them is lost."""
    moved = np.zeros_like(images)
    H, W = images.shape[1:]
    moved[:, max(down, 0) : H + min(down, 0), max(right, 0) : W + min(right, 0)] = images[
        :, max(-down, 0) : H + min(-down, 0), max(-right, 0) : W + min(-right, 0)
    ]
    return moved


def _mean_probabilities(network: Network, looks: Any, count: int) -> tuple[np.ndarray, float]:
    """The mean over all looks (N, classes), and the seconds that it took without compiling and uploading."""
    total, number, seconds = np.zeros((count, network.classes), np.float32), 0, 0.0
    for batches in looks:
        probabilities(network, batches, np.arange(1))  # compiles, so that the seconds are those of the work
        start = perf_counter()
        total += probabilities(network, batches, np.arange(count))
        number, seconds = number + 1, seconds + perf_counter() - start
    return total / number, seconds


def _judge(p: np.ndarray, labels: np.ndarray, seconds: float) -> Evaluation:
    of_label = p[np.arange(len(labels)), labels].astype(np.float64)
    loss = float(-np.log(np.maximum(of_label, MIN_PROBABILITY)).mean())
    return Evaluation(confusion(labels, p.argmax(1), p.shape[1]), loss, seconds)


def _check_alike(networks: Sequence[SavedNetwork]) -> int:
    """The number of classes; UserError unless all networks take the same images and tell the same classes."""
    first, *others = map(_reading, networks)
    for other in others:
        if other != first:
            sizes = [f"{rows} x {columns} pixels with {classes} classes" for rows, columns, classes in (first, other)]
            raise UserError(f"An ensemble must read alike, not {sizes[0]} and {sizes[1]}; leave one out.")
    return first[2]


def _reading(saved: SavedNetwork) -> tuple[int, int, int]:
    """(rows, columns) of the images before they are prepared, and the number of classes."""
    network = Network.from_config(saved.network)
    C, H, W = network.input_shape
    edges = 2 * saved.normalisation.preparation.pad
    return H - edges, W - edges, network.classes
