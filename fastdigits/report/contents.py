"""What the page says of a trained network."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastdigits import __version__
from fastdigits.config import EVALUATION_BATCH, TrainConfig
from fastdigits.ensemble import Verdict
from fastdigits.history import Epoch, Series
from fastdigits.nn import Network, chain
from fastdigits.nn.kernels import kernels_of
from fastdigits.nn.wording import kernel_of
from fastdigits.plots import architecture, confusion, curves, examples, filters
from fastdigits.plots.text import times
from fastdigits.recipes import MODEL_SETTINGS
from fastdigits.report.page import embedded, png
from fastdigits.report.speed import Speed
from fastdigits.samples import examples as some
from fastdigits.samples import worst_mistakes
from fastdigits.weights import SavedNetwork

WORST, EXAMPLES = 24, 4  # mistakes, and images of each kind

Rows = list[tuple[str, str]]  # what, and how much of it


@dataclass(frozen=True, eq=False)
class Tested:
    """A trained network and what it makes of test images, uint8 (N, H, W), with their labels (N,)."""

    saved: SavedNetwork
    verdict: Verdict
    images: np.ndarray
    labels: np.ndarray
    dataset: str


def contents(tested: Tested, speed: Speed, training: dict[str, Any] | None, date: str) -> dict[str, Any]:
    """All that the template needs but how to train the network again.

    Parameters
    ----------
    tested : Tested
    speed : Speed
    training : dict, optional
        What `train --json` says of the training, which has the times that no weights file keeps.
    date : str
        Of the report.
    """
    saved, network = tested.saved, Network.from_config(tested.saved.network)
    return {
        "model": saved.model,
        "dataset": tested.dataset,
        "version": __version__,
        "date": date,
        "figures": _figures(tested, network, speed),
        "run": _run(tested),
        "mistakes": _mistakes(tested),
        "mistake_count": tested.verdict.together.images - tested.verdict.together.correct,
        "pictures": _pictures(tested, network),
        "layers": _layers(network),
        "speed": _speed(speed),
        "training": _training(training) if training else [],
        "settings": _settings(saved),
    }


def _figures(tested: Tested, network: Network, speed: Speed) -> Rows:
    """The most important ones."""
    result = tested.verdict.together
    low, high = result.interval_95
    cost = sum(layer.multiply_adds() for layer in network.layers)
    return [
        (
            f"{result.accuracy:.2%}",
            f"of {result.images:,} test images read right (95% interval {low:.2%} to {high:.2%})",
        ),
        (f"{network.parameter_count:,}", "parameters"),
        (f"{cost:,}", "multiply-adds for an image"),
        (f"{speed.images_per_second:,.0f}", "images read in a second"),
    ]


def _run(tested: Tested) -> Rows:
    saved, result = tested.saved, tested.verdict.together
    kept = _kept_epoch(saved)
    rows = [
        ("trained on", saved.dataset),
        ("epochs", f"{len(saved.history)}" + (f", weights of epoch {kept}" if kept != len(saved.history) else "")),
        ("seed", str(saved.config["seed"])),
        ("test loss", f"{result.loss:.4f}"),
        ("test images misread", f"{result.images - result.correct:,} of {result.images:,}"),
    ]
    if saved.history and saved.history[kept - 1]["validation_accuracy"] is not None:
        rows.insert(3, ("validation accuracy", f"{saved.history[kept - 1]['validation_accuracy']:.2%}"))
    return rows


def _kept_epoch(saved: SavedNetwork) -> int:
    """The epoch whose weights these are: the last one unless the file says another one that there is."""
    told, last = saved.metrics.get("kept_epoch"), len(saved.history)
    return told if type(told) is int and 1 <= told <= last else last


def _mistakes(tested: Tested) -> list[dict[str, Any]]:
    """The worst ones: the image, its number, the true digit and the one read with their probabilities."""
    mistakes = []
    for row in worst_mistakes(tested.verdict.probabilities, tested.labels, WORST):
        true, shares = int(tested.labels[row]), tested.verdict.probabilities[row]
        read = int(shares.argmax())
        digits = {"true": true, "read": read, "p_true": f"{shares[true]:.1%}", "p_read": f"{shares[read]:.1%}"}
        mistakes.append({"image": png(tested.images[row]), "number": int(row), **digits})
    return mistakes


def _pictures(tested: Tested, network: Network) -> dict[str, Any]:
    probabilities, labels = tested.verdict.probabilities, tested.labels
    chosen = {
        heading: some(probabilities, labels, right, EXAMPLES)
        for heading, right in (("Read right", True), ("Misread", False))
    }
    saved, history = tested.saved, [Epoch(**figures) for figures in tested.saved.history]
    kernels = kernels_of(network, saved.values)
    return {
        "curves": embedded(curves.draw([Series(saved.model, [history])])) if history else None,
        "confusion": embedded(confusion.draw(tested.verdict.together.confusion, "")),
        "examples": embedded(examples.draw(tested.images, labels, probabilities, chosen, saved.model)),
        "architecture": embedded(architecture.draw(network, saved.model)),
        "filters": embedded(filters.draw(kernels, "")) if kernels else None,
    }


def _layers(network: Network) -> list[tuple[str, ...]]:
    """Name, output shape, kernel, parameters and multiply-adds of each, as text."""
    rows = []
    for name, layer in chain.with_inner(network.names, network.layers):
        shape = times(" x ".join(map(str, layer.output_shape)))
        whole = not layer.inner()[1]  # what is made of others has their figures
        counts = sum(parameter.size for parameter in layer.parameters), layer.multiply_adds()
        rows.append((name, shape, times(kernel_of(layer)), *(f"{n:,}" if n and whole else "" for n in counts)))
    return rows


def _speed(speed: Speed) -> Rows:
    return [
        ("machine", f"{speed.machine}, {speed.device}"),
        (f"many images, {EVALUATION_BATCH} at a time", f"{speed.images_per_second:,.0f} images a second"),
        ("a single image", f"{speed.single_s * 1e6:,.0f} \N{MICRO SIGN}s"),
    ]


def _training(training: dict[str, Any]) -> Rows:
    names = {"load": "reading the data", "compile": "compiling", "train": "training", "validation": "validation"}
    seconds = training["seconds"]
    rows = [(name, f"{seconds[key]:.2f} s") for key, name in names.items() if seconds.get(key) is not None]
    if training["images_per_second"]:
        rows.append(("training speed", f"{training['images_per_second']:,.0f} images a second"))
    return [*rows, ("the whole command", f"{seconds['total']:.2f} s")]


def _settings(saved: SavedNetwork) -> list[tuple[str, str, bool]]:
    """Name, value, and whether it is another one than usual."""
    usual = vars(TrainConfig()) | MODEL_SETTINGS.get(saved.model, {})
    return [(name.replace("_", " "), _in_words(value), value != usual[name]) for name, value in saved.config.items()]


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not given" if value is None or value == "" else str(value)
