"""What the page shows of a trained network."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastdigits.inference.ensemble import EnsembleEvaluation
from fastdigits.inference.evaluate import correct_and_wrong, worst_mistakes
from fastdigits.inspection.filters import kernels_of
from fastdigits.nn import Network
from fastdigits.plots import architecture, confusion, curves, examples, filters
from fastdigits.report.page import embedded, png
from fastdigits.storage.history import Epoch, RunGroup
from fastdigits.storage.weights import SavedNetwork

WORST, EXAMPLES = 24, 4  # mistakes, and images of each kind


@dataclass(frozen=True, eq=False)
class Tested:
    """A trained network and what it makes of test images, uint8 (N, H, W), with their labels (N,)."""

    saved: SavedNetwork
    verdict: EnsembleEvaluation
    images: np.ndarray
    labels: np.ndarray
    dataset: str


def worst(tested: Tested) -> list[dict[str, Any]]:
    """The worst mistakes: the image, its number, the true digit and the one read with their probabilities."""
    mistakes = []
    for row in worst_mistakes(tested.verdict.probabilities, tested.labels, WORST):
        true, shares = int(tested.labels[row]), tested.verdict.probabilities[row]
        read = int(shares.argmax())
        digits = {"true": true, "read": read, "p_true": f"{shares[true]:.1%}", "p_read": f"{shares[read]:.1%}"}
        mistakes.append({"image": png(tested.images[row]), "number": int(row), **digits})
    return mistakes


def draw(tested: Tested, network: Network) -> dict[str, Any]:
    """All pictures by what they show; None where there is nothing to show."""
    probabilities, labels = tested.verdict.probabilities, tested.labels
    chosen = correct_and_wrong(probabilities, labels, EXAMPLES)
    saved, history = tested.saved, [Epoch(**figures) for figures in tested.saved.history]
    kernels = kernels_of(network, saved.weights)
    return {
        "curves": embedded(curves.draw([RunGroup(saved.model, [history])])) if history else None,
        "confusion": embedded(confusion.draw(tested.verdict.combined.confusion, "")),
        "examples": embedded(examples.draw(tested.images, labels, probabilities, chosen, saved.model)),
        "architecture": embedded(architecture.draw(network, saved.model)),
        "filters": embedded(filters.draw(kernels, "")) if kernels else None,
    }
