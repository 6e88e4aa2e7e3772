"""Run `fastdigits eval`: evaluate one network or an ensemble, and draw the results."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from fastdigits.cli.actions.common import load_ops, load_test_part, say_written, warn_of_polarity, write_figure
from fastdigits.cli.options.figure_files import check_files
from fastdigits.cli.terminal.progress import announce_compilation
from fastdigits.data.dataset import DigitPart
from fastdigits.inference.ensemble import NO_SHIFT, SHIFTS, EnsembleEvaluation, evaluate_ensemble, evaluate_single
from fastdigits.inference.evaluate import Evaluation, correct_and_wrong, worst_mistakes
from fastdigits.inference.reliability import mcnemar, reliability
from fastdigits.nn.class_names import noun
from fastdigits.plots import confusion, examples, mistakes
from fastdigits.plots import reliability as calibration
from fastdigits.storage.weights import SavedNetwork, read

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_CLASSES = 50  # rows of the table of classes
MAX_MATRIX, MAX_LISTED = 20, 20  # classes of a matrix as text; confusions in a list
SIGNIFICANCE = 0.05
MAX_SHORT = 12  # characters of the name of a class in a table
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
            evaluation = evaluate_single(networks[0], images, labels, ops, with_probabilities=True)
        else:
            evaluation = evaluate_ensemble(networks, images, labels, ops, SHIFTS if tta else NO_SHIFT)
    result = evaluation.combined
    summary = {
        **_metrics(result),
        "classes": part.classes,
        "per_class": result.per_class,
        "precision": result.precision,
        "f1": result.f1,
        "macro_f1": result.macro_f1,
        "confusion": result.confusion.tolist(),
        "calibration_error": reliability(evaluation.probabilities, labels).expected_error,
        "seconds": result.seconds,
        "images_per_second": result.images / result.seconds,
        "model": " + ".join(saved.model for saved in networks),
        "device": ops.device,
        "dataset": data,
        "tta": tta,
        "members": _members(weights, networks, evaluation),
        "mcnemar": mcnemar(*evaluation.right) if len(networks) == 2 else None,
    }
    for name, path in figures.items():
        if path:
            write_figure(path, FIGURES[name](evaluation, part, f"{summary['model']} on {data}"))
            say_written(path)
    click.echo(json.dumps(summary) if as_json else _as_text(summary))


def _draw_confusion(evaluation: EnsembleEvaluation, part: DigitPart, title: str) -> "Figure":
    result = evaluation.combined
    title = f"{title}: {result.correct:,} of {result.images:,} images correct"
    return confusion.draw(result.confusion, title, part.classes)


def _draw_mistakes(evaluation: EnsembleEvaluation, part: DigitPart, title: str) -> "Figure":
    """Draw the mistakes with the lowest probability of the true class."""
    count = evaluation.combined.images - evaluation.combined.correct
    rows = worst_mistakes(evaluation.probabilities, part.labels, MAX_MISTAKES)
    which = f"the worst {len(rows)} of {count:,} mistakes" if count > len(rows) else f"{count or 'no'} mistakes"
    title = f"{title}: {which}"
    return mistakes.draw(part.images, part.labels, evaluation.probabilities, rows, title, part.classes)


def _draw_examples(evaluation: EnsembleEvaluation, part: DigitPart, title: str) -> "Figure":
    groups = correct_and_wrong(evaluation.probabilities, part.labels, MAX_EXAMPLES)
    return examples.draw(part.images, part.labels, evaluation.probabilities, groups, title, part.classes)


def _draw_calibration(evaluation: EnsembleEvaluation, part: DigitPart, title: str) -> "Figure":
    return calibration.draw(reliability(evaluation.probabilities, part.labels), title)


FIGURES = {
    "confusion": _draw_confusion,
    "mistakes": _draw_mistakes,
    "examples": _draw_examples,
    "calibration": _draw_calibration,
}


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
    members, names = summary["members"], summary["classes"]
    averaged = ", averaged over each image and its 8 shifts" if summary["tta"] else ""
    lines = [
        f"{summary['model']} on {summary['dataset']}: {_metrics_text(summary)}{averaged}",
        *(f"  {one['file']} ({one['model']}): {_metrics_text(one)}" for one in members if len(members) > 1),
        *_difference_lines(summary),
        f"expected calibration error {summary['calibration_error']:.2%}",
        f"{summary['images_per_second']:,.0f} images/s on {summary['device']}",
        "",
        *(_matrix_lines(summary) if len(names) <= MAX_MATRIX else _confusion_lines(summary)),
        "",
        *_class_lines(summary),
    ]
    return "\n".join(lines)


def _difference_lines(summary: dict[str, Any]) -> list[str]:
    """Say whether the difference of two networks may be chance."""
    if summary["mcnemar"] is None:
        return []
    first, second, p = summary["mcnemar"].values()
    verdict = "may be chance" if p > SIGNIFICANCE else "is unlikely to be chance"
    return [
        f"only the first is right on {first:,} images, only the second on {second:,}: the difference {verdict} "
        f"(p = {p:.2g}, McNemar's exact test)"
    ]


def _matrix_lines(summary: dict[str, Any]) -> list[str]:
    kind, names = noun(summary["classes"]), [_short(name) for name in summary["classes"]]
    width = max(6, 1 + max(map(len, names)))
    lines = [
        f"confusion matrix (rows: true {kind}, columns: predicted {kind}):",
        " " * width + "".join(f"{name:>{width}}" for name in names) + " correct",
    ]
    for name, row, accuracy in zip(names, summary["confusion"], summary["per_class"], strict=True):
        correct = "      -" if accuracy is None else f"{accuracy:8.2%}"
        lines.append(f"{name:>{width}}" + "".join(f"{count or '.':>{width}}" for count in row) + correct)
    return lines


def _confusion_lines(summary: dict[str, Any]) -> list[str]:
    """List the most frequent confusions, where a matrix would be too wide."""
    matrix, names = np.array(summary["confusion"]), summary["classes"]
    np.fill_diagonal(matrix, 0)
    pairs = [divmod(int(place), len(names)) for place in np.argsort(-matrix, axis=None, kind="stable")[:MAX_LISTED]]
    lines = [f"{matrix[pair]:6} x {_short(names[pair[0]])} predicted as {_short(names[pair[1]])}" for pair in pairs]
    return ["most frequent confusions:", *(line for pair, line in zip(pairs, lines, strict=True) if matrix[pair])]


def _class_lines(summary: dict[str, Any]) -> list[str]:
    names = [_short(name) for name in summary["classes"]]
    width = max(6, *map(len, names))
    lines = [f"{'':{width}}  images  precision   recall       F1"]
    columns = (summary[name] for name in ("confusion", "precision", "per_class", "f1"))
    rows = [*zip(names, *columns, strict=True)]
    if len(rows) > MAX_CLASSES:
        lines.insert(0, f"the {MAX_CLASSES} of {len(rows):,} classes with the lowest F1 (--json has all):")
        rows = sorted(rows, key=lambda row: 1.0 if row[-1] is None else row[-1])[:MAX_CLASSES]
    for name, row, *shares in rows:
        texts = ["-" if share is None else f"{share:.2%}" for share in shares]
        lines.append(f"{name:>{width}}{sum(row):8,}{texts[0]:>11}{texts[1]:>9}{texts[2]:>9}")
    return [*lines, f"mean F1 {summary['macro_f1']:.2%}"]


def _short(name: str) -> str:
    return name if len(name) <= MAX_SHORT else f"{name[: MAX_SHORT - 3]}..."


def _metrics_text(metrics: dict[str, Any]) -> str:
    low, high = metrics["interval_95"]
    return (
        f"accuracy {metrics['accuracy']:.2%} ({metrics['correct']:,} of {metrics['images']:,} images; "
        f"95 % interval {low:.2%} to {high:.2%}), loss {metrics['loss']:.4f}"
    )
