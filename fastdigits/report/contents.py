"""Collect the contents of the report: its texts, numbers and tables."""

from collections.abc import Sequence
from typing import Any

from fastdigits import __version__
from fastdigits.config.recipes import MODEL_SETTINGS
from fastdigits.config.training import EVALUATION_BATCH, TrainConfig
from fastdigits.inference.evaluate import Evaluation
from fastdigits.inspection.summary import layer_rows
from fastdigits.nn import Network
from fastdigits.nn.class_names import noun
from fastdigits.plots.text import with_times_signs
from fastdigits.report.pictures import TestedNetwork, draw, worst
from fastdigits.report.speed import Speed
from fastdigits.storage.weights import SavedNetwork

Rows = list[tuple[str, str]]  # name, value


def contents(tested: TestedNetwork, speed: Speed, training: dict[str, Any] | None, date: str) -> dict[str, Any]:
    """Return the variables of the template, except how to reproduce the network.

    Parameters
    ----------
    tested : TestedNetwork
    speed : Speed
    training : dict, optional
        The summary of `train --json`, for the training times, which the weights file does not store.
    date : str
        The date of the report.
    """
    saved, network = tested.saved, Network.from_config(tested.saved.network)
    return {
        "model": saved.model,
        "dataset": tested.dataset,
        "version": __version__,
        "date": date,
        "metrics": _key_metrics(tested, network, speed),
        "run": run_rows(tested),
        "mistakes": worst(tested),
        "mistake_count": tested.evaluation.combined.images - tested.evaluation.combined.correct,
        "pictures": draw(tested, network),
        "kind": noun(network.class_names),
        "classes": _classes(tested.evaluation.combined, network.class_names),
        "layers": _layers(network),
        "speed": _speed(speed),
        "training": _training(training) if training else [],
        "settings": _settings(saved),
    }


def _key_metrics(tested: TestedNetwork, network: Network, speed: Speed) -> Rows:
    result = tested.evaluation.combined
    low, high = result.interval_95
    cost = sum(layer.multiply_adds() for layer in network.layers)
    return [
        (
            f"{result.accuracy:.2%}",
            f"accuracy on {result.images:,} test images (95% interval {low:.2%} to {high:.2%})",
        ),
        (f"{network.parameter_count:,}", "parameters"),
        (f"{cost:,}", "multiply-adds per image"),
        (f"{speed.images_per_second:,.0f}", "images per second"),
    ]


def run_rows(tested: TestedNetwork) -> Rows:
    """Return what the report says about the training."""
    saved, result = tested.saved, tested.evaluation.combined
    kept = _kept_epoch(saved)
    rows = [
        ("trained on", saved.dataset),
        ("epochs", f"{len(saved.history)}" + (f", weights of epoch {kept}" if kept != len(saved.history) else "")),
        ("seed", str(saved.config["seed"])),
        ("test loss", f"{result.loss:.4f}"),
        ("test errors", f"{result.images - result.correct:,} of {result.images:,}"),
    ]
    if saved.history and saved.history[kept - 1]["validation_accuracy"] is not None:
        rows.insert(3, ("validation accuracy", f"{saved.history[kept - 1]['validation_accuracy']:.2%}"))
    return rows


def _kept_epoch(saved: SavedNetwork) -> int:
    """Return the epoch whose weights were kept: the last, unless the file names another that exists."""
    kept, last = saved.metrics.get("kept_epoch"), len(saved.history)
    return kept if type(kept) is int and 1 <= kept <= last else last


def _layers(network: Network) -> list[tuple[str, ...]]:
    """Return the name, output shape, kernel, parameters and multiply-adds of each layer, as text."""
    rows = []
    for row in layer_rows(network):
        shape = with_times_signs(" x ".join(map(str, row["output_shape"])))
        counts = (f"{row[key]:,}" if row[key] else "" for key in ("parameters", "multiply_adds"))
        rows.append((row["layer"], shape, with_times_signs(row["kernel"]), *counts))
    return rows


def _classes(result: Evaluation, names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the name, images, precision, recall and F1 of each class, as text."""
    columns = zip(result.confusion.sum(1), result.precision, result.per_class, result.f1, strict=True)
    return [
        (name, f"{images:,}", *("" if share is None else f"{share:.2%}" for share in shares))
        for name, (images, *shares) in zip(names, columns, strict=True)
    ]


def _speed(speed: Speed) -> Rows:
    return [
        ("machine", f"{speed.machine}, {speed.device}"),
        (f"batches of {EVALUATION_BATCH} images", f"{speed.images_per_second:,.0f} images per second"),
        ("a single image", f"{speed.single_s * 1e6:,.0f} \N{MICRO SIGN}s"),
    ]


def _training(training: dict[str, Any]) -> Rows:
    names = {"load": "loading the data", "compile": "compiling", "train": "training", "validation": "validation"}
    seconds = training["seconds"]
    rows = [(name, f"{seconds[key]:.2f} s") for key, name in names.items() if seconds.get(key) is not None]
    if training["images_per_second"]:
        rows.append(("training speed", f"{training['images_per_second']:,.0f} images per second"))
    return [*rows, ("total", f"{seconds['total']:.2f} s")]


def _settings(saved: SavedNetwork) -> list[tuple[str, str, bool]]:
    """Return the name and value of each setting, and whether it differs from the default."""
    defaults = vars(TrainConfig()) | MODEL_SETTINGS.get(saved.model, {})
    return [(name.replace("_", " "), _as_text(value), value != defaults[name]) for name, value in saved.config.items()]


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not set" if value is None or value == "" else str(value)
