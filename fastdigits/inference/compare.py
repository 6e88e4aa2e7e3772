"""Networks side by side: how much they read right, how long they learn and read, and how large they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastdigits.inference.ensemble import evaluate_ensemble
from fastdigits.nn import Network
from fastdigits.ops.interface import Ops
from fastdigits.storage.run_statistics import Summary, summarize
from fastdigits.storage.weights import SavedNetwork

LOOKS = 3  # at the test images, for the time that the fastest one takes


@dataclass(frozen=True)
class ComparedModel:
    """A network that was trained once or several times.

    `accuracies` are shares of the test images that each training came to; it has none where all of them were dead.
    `train_s` are the seconds of training alone, which weights files do not tell; `inference_s` those to read one image.
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
        """Mean, standard deviation, lowest and highest of the test accuracies."""
        return summarize(self.accuracies)

    @property
    def training(self) -> Summary | None:
        """The same of the seconds of training."""
        return summarize(self.train_s)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain JSON types."""
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
    """What a network has come to in some trainings, on test images.

    Parameters
    ----------
    name : str
    network : Network
        Which need not be built.
    trained : sequence of SavedNetwork
    train_s : sequence of float
        The seconds of the trainings, as far as they are known.
    images : uint8 (N, H, W)
    labels : uint8 (N,)
    ops : Ops

    Raises
    ------
    UserError
        If the network cannot read these images.
    """
    accuracies, inference_s = [], None
    for saved in trained:
        looks = [evaluate_ensemble([saved], images, labels, ops).combined for _ in range(LOOKS)]
        accuracies.append(looks[0].accuracy)
        inference_s = min(filter(None, (inference_s, *(look.seconds / len(labels) for look in looks))))
    return ComparedModel(
        name=name,
        parameters=network.parameter_count,
        multiply_adds=sum(layer.multiply_adds() for layer in network.layers),
        epochs=max((len(saved.history) for saved in trained), default=0),
        accuracies=accuracies,
        train_s=[*train_s],
        inference_s=inference_s,
    )
