"""Draw the figures of the report and collect the worst mistakes."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastdigits.inference.ensemble import EnsembleEvaluation
from fastdigits.inference.evaluate import correct_and_wrong, worst_mistakes
from fastdigits.inference.reliability import reliability
from fastdigits.inspection.filters import filter_weights
from fastdigits.nn import Network
from fastdigits.plots import architecture, confusion, curves, examples, filters
from fastdigits.plots import reliability as calibration
from fastdigits.report.page import embedded, png
from fastdigits.storage.history import Epoch, RunGroup
from fastdigits.storage.weights import SavedNetwork

MAX_MISTAKES = 24
EXAMPLES = 4  # images, each of correct and of wrong predictions


@dataclass(frozen=True, eq=False)
class TestedNetwork:
    """A trained network, test images uint8 (N, H, W) with their labels (N,), and the evaluation on them."""

    saved: SavedNetwork
    evaluation: EnsembleEvaluation
    images: np.ndarray
    labels: np.ndarray
    dataset: str


def worst(tested: TestedNetwork) -> list[dict[str, Any]]:
    """Return the worst mistakes: image, index, true and predicted class, and the probabilities of both."""
    mistakes, names = [], tested.saved.class_names
    for row in worst_mistakes(tested.evaluation.probabilities, tested.labels, MAX_MISTAKES):
        true, p = int(tested.labels[row]), tested.evaluation.probabilities[row]
        predicted = int(p.argmax())
        classes = {"true": names[true], "predicted": names[predicted]}
        percentages = {"p_true": f"{p[true]:.1%}", "p_predicted": f"{p[predicted]:.1%}"}
        mistakes.append({"image": png(tested.images[row]), "index": int(row), **classes, **percentages})
    return mistakes


def draw(tested: TestedNetwork, network: Network) -> dict[str, Any]:
    """Draw all figures; a figure with nothing to show is None."""
    probabilities, labels = tested.evaluation.probabilities, tested.labels
    chosen = correct_and_wrong(probabilities, labels, EXAMPLES)
    saved, history = tested.saved, [Epoch(**epoch) for epoch in tested.saved.history]
    names = network.class_names
    kernels = filter_weights(network, saved.weights)
    return {
        "curves": embedded(curves.draw([RunGroup(saved.model, [history])])) if history else None,
        "confusion": embedded(confusion.draw(tested.evaluation.combined.confusion, "", names)),
        "calibration": embedded(calibration.draw(reliability(probabilities, labels), "")),
        "examples": embedded(examples.draw(tested.images, labels, probabilities, chosen, saved.model, names)),
        "architecture": embedded(architecture.draw(network, saved.model)),
        "filters": embedded(filters.draw(kernels, "")) if kernels else None,
    }
