"""Compare networks by accuracy, training time, inference time and size."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastdigits.inference.ensemble import evaluate_ensemble
from fastdigits.nn import Network
from fastdigits.ops.interface import Ops
from fastdigits.storage.run_statistics import Summary, summarize
from fastdigits.storage.weights import SavedNetwork

REPEATS = 3  # evaluations on the test images; the fastest one gives the inference time


@dataclass(frozen=True)
class ComparedModel:
    """The metrics of a network that was trained once or several times.

    Attributes
    ----------
    name : str
    parameters, multiply_adds : int
        Multiply-adds of a forward pass of one image.
    epochs : int
    accuracies : list of float
        Test accuracy of each training run; empty if all runs failed.
    train_s : list of float
        Seconds of each training run; empty for weights files, which do not store them.
    inference_s : float or None
        Seconds per image; None if all runs failed.
    """

    name: str
    parameters: int
    multiply_adds: int
    epochs: int
    accuracies: list[float]
    train_s: list[float]
    inference_s: float | None

    @property
    def accuracy(self) -> Summary | Any:
        """Mean, standard deviation, minimum and maximum of the test accuracies."""
        return summarize(self.accuracies)

    @property
    def training(self) -> Summary | None:
        """Mean, standard deviation, minimum and maximum of the training times in seconds."""
        return summarize(self.train_s)

    def to_dict(self) -> dict[str, Any]:
        """Return the row of the comparison table as JSON types."""
        return {
            "model": self.name,
            "parameters": self.parameters,
            "multiply_adds": self.multiply_adds,
            "epochs": self.epochs,
            "runs": len(self.accuracies),
            "test_accuracy": self.accuracy,
            "train_seconds": self.training,
            "read_images_per_second": 1 / self.inference_s if self.inference_s else None,
        }


def measure(
    name: str,
    network: Network,
    trained: Sequence[SavedNetwork],
    train_s: Sequence[float],
    images: np.ndarray,
    labels: np.ndarray,
    ops: Ops,
) -> ComparedModel:
    """Evaluate the trained copies of a network on test images.

    Parameters
    ----------
    name : str
    network : Network
        Need not be built.
    trained : sequence of SavedNetwork
        The network after each training run.
    train_s : sequence of float
        Seconds of the training runs; empty if unknown.
    images : uint8 (N, H, W)
    labels : uint8 (N,)
    ops : Ops

    Raises
    ------
    UserError
        If the network does not fit the images.
    """
    accuracies, inference_s = [], None
    for saved in trained:
        results = [evaluate_ensemble([saved], images, labels, ops).combined for _ in range(REPEATS)]
        accuracies.append(results[0].accuracy)
        inference_s = min(filter(None, (inference_s, *(result.seconds / len(labels) for result in results))))
    return ComparedModel(
        name=name,
        parameters=network.parameter_count,
        multiply_adds=sum(layer.multiply_adds() for layer in network.layers),
        epochs=max((len(saved.history) for saved in trained), default=0),
        accuracies=accuracies,
        train_s=[*train_s],
        inference_s=inference_s,
    )
