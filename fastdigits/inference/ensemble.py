"""Ensembles: average the probabilities of several networks, or of several shifted copies of an image."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from fastdigits.config.training import EVALUATION_BATCH
from fastdigits.data.batches import Batches
from fastdigits.errors import UserError
from fastdigits.inference.evaluate import Evaluation, confusion_matrix, evaluate, probabilities
from fastdigits.nn import Network
from fastdigits.ops.interface import Ops
from fastdigits.ops.runtime.rehearsal import Rehearsal, planned
from fastdigits.storage.weights import SavedNetwork

NO_SHIFT = ((0, 0),)
# (rows down, columns to the right): no shift, then one pixel in each of the eight directions
SHIFTS = tuple((i, j) for i in (0, -1, 1) for j in (0, -1, 1))
MIN_PROBABILITY = 1e-12  # keeps logarithms finite


@dataclass(frozen=True, eq=False)
class EnsembleEvaluation:
    """Metrics of an ensemble.

    Attributes
    ----------
    members : list of Evaluation
        Metrics of each network alone.
    combined : Evaluation
        Metrics of the averaged probabilities.
    probabilities : float32 (N, classes) or None
        The averaged probabilities; None if `evaluate_single` was called without `with_probabilities`.
    right : bool (members, N) or None
        Whether each network alone is right on each image; None as above.
    """

    members: list[Evaluation]
    combined: Evaluation
    probabilities: np.ndarray | Any
    right: np.ndarray | Any


def evaluate_ensemble(
    networks: Sequence[SavedNetwork],
    images: np.ndarray,
    labels: np.ndarray,
    ops: Ops,
    shifts: Sequence[tuple[int, int]] = NO_SHIFT,
) -> EnsembleEvaluation:
    """Evaluate every network and the mean of their probabilities.

    p[n, k] = mean over shifts of softmax(scores)[n, k] for one network; for the ensemble, the mean over networks
    loss = -mean_n log p[n, label of n], regardless of the loss that the networks were trained with

    Parameters
    ----------
    networks : sequence of SavedNetwork
    images : uint8 (N, H, W)
    labels : uint8 (N,)
    ops : Ops
    shifts : sequence of (rows, columns)
        Shifts to average over. Images are shifted before preparation, which may change the background.

    Raises
    ------
    UserError
        If the networks differ in image size or number of classes, or do not fit the images.

    References
    ----------
    Hansen and Salamon (1990), Neural network ensembles; Krizhevsky, Sutskever and Hinton (2012), ImageNet
    classification with deep convolutional neural networks, section 4.1 (the mean over several crops).
    """
    classes = _check_alike(networks)

    def rehearse(rehearsal: Rehearsal) -> None:
        for saved in networks:
            deferred = rehearsal.defer(ops, saved.has_custom_code)
            batches = Batches(deferred, images[:1], None, EVALUATION_BATCH, saved.normalisation)
            probabilities(saved.built(deferred, EVALUATION_BATCH), batches, np.arange(1))

    with planned(rehearse):
        return _evaluate_ensemble(networks, classes, images, labels, ops, shifts)


def _evaluate_ensemble(
    networks: Sequence[SavedNetwork],
    classes: int,
    images: np.ndarray,
    labels: np.ndarray,
    ops: Ops,
    shifts: Sequence[tuple[int, int]],
) -> EnsembleEvaluation:
    members, total, seconds = [], np.zeros((len(labels), classes), np.float32), 0.0
    right = np.empty((len(networks), len(labels)), bool)
    for number, saved in enumerate(networks):
        network = saved.built(ops, EVALUATION_BATCH)
        network.check_images(images, labels, saved.normalisation.preparation.pad)
        background = saved.normalisation.preparation.background
        views = (
            Batches(ops, shifted(images, *s, background), None, EVALUATION_BATCH, saved.normalisation) for s in shifts
        )
        mean, member_s = _mean_probabilities(network, views, len(labels))
        members.append(_evaluation(mean, labels, member_s))
        right[number] = mean.argmax(1) == labels
        total, seconds = total + mean, seconds + member_s
    mean = total / len(networks)
    return EnsembleEvaluation(members, _evaluation(mean, labels, seconds), mean, right)


def evaluate_single(
    saved: SavedNetwork, images: np.ndarray, labels: np.ndarray, ops: Ops, with_probabilities: bool
) -> EnsembleEvaluation:
    """Evaluate a single network with the loss that it was trained with.

    Parameters
    ----------
    saved : SavedNetwork
    images : uint8 (N, H, W)
    labels : uint8 (N,)
    ops : Ops
    with_probabilities : bool
        Whether to return the probabilities as well.

    Raises
    ------
    UserError
        If the network does not fit the images.
    """

    def rehearse(rehearsal: Rehearsal) -> None:
        deferred = rehearsal.defer(ops, saved.has_custom_code)
        _evaluate_single(saved, images[:1], labels[:1], deferred, with_probabilities)

    with planned(rehearse):
        return _evaluate_single(saved, images, labels, ops, with_probabilities)


def _evaluate_single(
    saved: SavedNetwork, images: np.ndarray, labels: np.ndarray, ops: Ops, with_probabilities: bool
) -> EnsembleEvaluation:
    network, loss, rows = saved.built(ops, EVALUATION_BATCH), saved.config["loss"], np.arange(len(labels))
    network.check_images(images, labels, saved.normalisation.preparation.pad)
    batches = Batches(ops, images, labels, EVALUATION_BATCH, saved.normalisation)
    evaluate(network, batches, rows[:1], loss)  # compiles, so that the timing below does not include compilation
    result = evaluate(network, batches, rows, loss)
    if not with_probabilities:
        return EnsembleEvaluation([result], result, None, None)
    p = probabilities(network, batches, rows)
    return EnsembleEvaluation([result], result, p, (p.argmax(1) == labels)[np.newaxis])


def shifted(images: np.ndarray, down: int, right: int, background: int = 0) -> np.ndarray:
    """Shift images (N, H, W) by rows down and columns to the right; fill with the background."""
    moved = np.full_like(images, background)
    H, W = images.shape[1:]
    moved[:, max(down, 0) : H + min(down, 0), max(right, 0) : W + min(right, 0)] = images[
        :, max(-down, 0) : H + min(-down, 0), max(-right, 0) : W + min(-right, 0)
    ]
    return moved


def _mean_probabilities(network: Network, views: Iterable[Batches], count: int) -> tuple[np.ndarray, float]:
    """Return the mean over all views (N, classes), and the seconds of inference without compilation and uploads."""
    total, number, seconds = np.zeros((count, network.classes), np.float32), 0, 0.0
    for batches in views:
        probabilities(network, batches, np.arange(1))  # compiles
        start = perf_counter()
        total += probabilities(network, batches, np.arange(count))
        number, seconds = number + 1, seconds + perf_counter() - start
    return total / number, seconds


def _evaluation(p: np.ndarray, labels: np.ndarray, seconds: float) -> Evaluation:
    of_label = p[np.arange(len(labels)), labels].astype(np.float64)
    loss = float(-np.log(np.maximum(of_label, MIN_PROBABILITY)).mean())
    return Evaluation(confusion_matrix(labels, p.argmax(1), p.shape[1]), loss, seconds)


def _check_alike(networks: Sequence[SavedNetwork]) -> int:
    """Return the number of classes; raise UserError unless all networks have the same image size and classes."""
    names, *other_names = (saved.class_names for saved in networks)
    first, *others = map(_image_size_and_classes, networks)
    for other, names_of_other in zip(others, other_names, strict=True):
        if other == first and names_of_other != names:
            raise UserError("The networks of an ensemble have classes of different names or order; leave one out.")
        if other != first:
            sizes = [f"{rows} x {columns} pixels with {classes} classes" for rows, columns, classes in (first, other)]
            raise UserError(f"The networks of an ensemble take {sizes[0]} and {sizes[1]}; leave one out.")
    return first[2]


def _image_size_and_classes(saved: SavedNetwork) -> tuple[int, int, int]:
    """Return rows and columns of an image before its preparation, and the number of classes."""
    network = Network.from_config(saved.network)
    C, H, W = network.input_shape
    edges = 2 * saved.normalisation.preparation.pad
    return H - edges, W - edges, network.classes
