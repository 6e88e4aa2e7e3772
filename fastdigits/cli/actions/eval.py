"""Run `fastdigits eval`: evaluate one network or an ensemble, and draw the results."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from fastdigits.cli.actions.common import load_ops, load_test_part, say_written, warn_of_polarity, write_figure
from fastdigits.cli.options.figure_files import check_files
from fastdigits.cli.terminal.progress import announce_compilation
from fastdigits.inference.ensemble import NO_SHIFT, SHIFTS, EnsembleEvaluation, evaluate_ensemble, evaluate_single
from fastdigits.inference.evaluate import Evaluation, correct_and_wrong, worst_mistakes
from fastdigits.plots import confusion, examples, mistakes
from fastdigits.storage.weights import SavedNetwork, read

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_MISTAKES, MAX_EXAMPLES = 24, 8  # mistakes in a figure; examples each of correct and wrong predictions


def run(
    weights: Sequence[str],
    data: str,
    device: str,
    exact: bool,
    threads: int | None,
    tta: bool,
    as_json: bool,
    figures: dict[str, str | None],
) -> None:
    """Evaluate the weights files on the test images, write the figures and print the results."""
    check_files({f"--{name}": path for name, path in figures.items()})
    networks = [read(path) for path in weights]
    part = load_test_part(data, networks)
    images, labels = part.images, part.labels
    warn_of_polarity(networks, images)
    exact = exact or any(saved.config["exact"] for saved in networks)

    def say(line: str) -> None:
        click.echo(line, err=as_json)

    ops = load_ops(device, threads, say, exact)
    with announce_compilation(ops, say):
        if len(networks) == 1 and not tta:
            evaluation = evaluate_single(networks[0], images, labels, ops, any(figures.values()))
        else:
            evaluation = evaluate_ensemble(networks, images, labels, ops, SHIFTS if tta else NO_SHIFT)
    result = evaluation.combined
    summary = {
        **_metrics(result),
        "per_class": result.per_class,
        "confusion": result.confusion.tolist(),
        "seconds": result.seconds,
        "images_per_second": result.images / result.seconds,
        "model": " + ".join(saved.model for saved in networks),
        "device": ops.device,
        "dataset": data,
        "tta": tta,
        "members": _members(weights, networks, evaluation),
    }
    for name, path in figures.items():
        if path:
            write_figure(path, FIGURES[name](evaluation, images, labels, f"{summary['model']} on {data}"))
            say_written(path)
    click.echo(json.dumps(summary) if as_json else _as_text(summary))


def _draw_confusion(evaluation: EnsembleEvaluation, images: np.ndarray, labels: np.ndarray, title: str) -> "Figure":
    result = evaluation.combined
    return confusion.draw(result.confusion, f"{title}: {result.correct:,} of {result.images:,} images correct")


def _draw_mistakes(evaluation: EnsembleEvaluation, images: np.ndarray, labels: np.ndarray, title: str) -> "Figure":
    """Draw the mistakes with the lowest probability of the true digit."""
    count = evaluation.combined.images - evaluation.combined.correct
    rows = worst_mistakes(evaluation.probabilities, labels, MAX_MISTAKES)
    which = f"the worst {len(rows)} of {count:,} mistakes" if count > len(rows) else f"{count or 'no'} mistakes"
    return mistakes.draw(images, labels, evaluation.probabilities, rows, f"{title}: {which}")


def _draw_examples(evaluation: EnsembleEvaluation, images: np.ndarray, labels: np.ndarray, title: str) -> "Figure":
    groups = correct_and_wrong(evaluation.probabilities, labels, MAX_EXAMPLES)
    return examples.draw(images, labels, evaluation.probabilities, groups, title)


FIGURES = {"confusion": _draw_confusion, "mistakes": _draw_mistakes, "examples": _draw_examples}


def _metrics(result: Evaluation) -> dict[str, Any]:
    return {
        "images": result.images,
        "correct": result.correct,
        "accuracy": result.accuracy,
        "interval_95": result.interval_95,
        "loss": result.loss,
    }


def _members(
    files: Sequence[str], networks: list[SavedNetwork], evaluation: EnsembleEvaluation
) -> list[dict[str, Any]]:
    return [
        {"file": file, "model": saved.model, **_metrics(member)}
        for file, saved, member in zip(files, networks, evaluation.members, strict=True)
    ]


def _as_text(summary: dict[str, Any]) -> str:
    digits, members = range(len(summary["confusion"])), summary["members"]
    averaged = ", averaged over each image and its 8 shifts" if summary["tta"] else ""
    lines = [
        f"{summary['model']} on {summary['dataset']}: {_metrics_text(summary)}{averaged}",
        *(f"  {one['file']} ({one['model']}): {_metrics_text(one)}" for one in members if len(members) > 1),
        f"{summary['images_per_second']:,.0f} images/s on {summary['device']}",
        "",
        "confusion matrix (rows: true digit, columns: predicted digit):",
        "      " + "".join(f"{digit:6}" for digit in digits) + " correct",
    ]
    for digit, row, accuracy in zip(digits, summary["confusion"], summary["per_class"], strict=True):
        correct = "      -" if accuracy is None else f"{accuracy:8.2%}"
        lines.append(f"{digit:6}" + "".join(f"{count or '.':>6}" for count in row) + correct)
    return "\n".join(lines)


def _metrics_text(metrics: dict[str, Any]) -> str:
    low, high = metrics["interval_95"]
    return (
        f"accuracy {metrics['accuracy']:.2%} ({metrics['correct']:,} of {metrics['images']:,} images; "
        f"95 % interval {low:.2%} to {high:.2%}), loss {metrics['loss']:.4f}"
    )
