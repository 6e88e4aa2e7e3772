"""What the page says of a trained network."""

from typing import Any

from fastdigits import __version__
from fastdigits.config.recipes import MODEL_SETTINGS
from fastdigits.config.training import EVALUATION_BATCH, TrainConfig
from fastdigits.inspection.summary import layer_rows
from fastdigits.nn import Network
from fastdigits.plots.text import times
from fastdigits.report.pictures import Tested, draw, worst
from fastdigits.report.speed import Speed
from fastdigits.storage.weights import SavedNetwork

Rows = list[tuple[str, str]]  # what, and how much of it


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
        "mistakes": worst(tested),
        "mistake_count": tested.verdict.combined.images - tested.verdict.combined.correct,
        "pictures": draw(tested, network),
        "layers": _layers(network),
        "speed": _speed(speed),
        "training": _training(training) if training else [],
        "settings": _settings(saved),
    }


def _figures(tested: Tested, network: Network, speed: Speed) -> Rows:
    """The most important ones."""
    result = tested.verdict.combined
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
    saved, result = tested.saved, tested.verdict.combined
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


def _layers(network: Network) -> list[tuple[str, ...]]:
    """Name, output shape, kernel, parameters and multiply-adds of each, as text."""
    rows = []
    for row in layer_rows(network):
        shape = times(" x ".join(map(str, row["output_shape"])))
        counts = (f"{row[key]:,}" if row[key] else "" for key in ("parameters", "multiply_adds"))
        rows.append((row["layer"], shape, times(row["kernel"]), *counts))
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
