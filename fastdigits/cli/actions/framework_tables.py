"""The tables of `fastdigits compare --against`: by network, and by framework."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from fastdigits.cli.actions.compare_tables import STATISTICS, table

HEADS = ("accuracy", "train s", "epochs", "rate", "weights", "biases", "device")
KEYS = ("model", "framework")
TITLES = {"model": "network", "framework": "framework"}
DEVICES = {"cpu": "CPU", "cuda": "GPU"}
CAPTION = (
    "Accuracy on the test images; seconds of the training steps; the highest learning rate. All frameworks start with "
    "the same weights and take the same batches in the same order."
)
FACTS = ("epochs", "learning_rate", "weights", "biases", "device")


def markdown(rows: Sequence[dict[str, Any]], title: str, notes: Sequence[str] = ()) -> str:
    """Format `FrameworkResult.to_dict()` rows as two Markdown tables, with the spread over repeated runs if any.

    The first table lists the frameworks for each network, the second one the networks for each framework.
    """
    versions = dict.fromkeys(f"{row['framework']} {row['version']}" for row in rows)
    parts = [title]
    for keys in (KEYS, KEYS[::-1]):
        parts += ["", f"By {TITLES[keys[0]]}:", "", *_table(rows, keys)]
    return "\n".join([*parts, "", f"{', '.join(versions)}. {CAPTION}", *notes])


def csv_text(rows: Sequence[dict[str, Any]]) -> str:
    """Format the rows as CSV, with accuracies from 0 to 1 and seconds; unknown values are empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    accuracies = [f"test_accuracy_{name}" for name in STATISTICS]
    writer.writerow([*KEYS, "version", "runs", *accuracies, "train_seconds", *FACTS])
    for row in rows:
        accuracy, training = row["test_accuracy"] or {}, row["train_seconds"] or {}
        facts = [*(accuracy.get(name) for name in STATISTICS), training.get("mean"), *(row[name] for name in FACTS)]
        writer.writerow([*(row[name] for name in (*KEYS, "version", "runs")), *facts])
    return buffer.getvalue()


def grouped(rows: Sequence[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Return the rows with those of the same `key` next to each other, else in the same order."""
    groups = [*dict.fromkeys(row[key] for row in rows)]
    return sorted(rows, key=lambda row: groups.index(row[key]))


def _table(rows: Sequence[dict[str, Any]], keys: Sequence[str]) -> list[str]:
    spread = any(row["runs"] > 1 for row in rows)
    heads = [*(TITLES[key] for key in keys), HEADS[0], *(["std"] if spread else []), *HEADS[1:]]
    return table(heads, [_cells(row, keys, spread) for row in grouped(rows, keys[0])], left=len(keys))


def _cells(row: dict[str, Any], keys: Sequence[str], spread: bool) -> list[str]:
    accuracy, training = row["test_accuracy"], row["train_seconds"]
    deviation = f"{accuracy['std']:.2%}" if row["runs"] > 1 else ""
    return [
        *(row[key].replace("|", r"\|") for key in keys),
        f"{accuracy['mean']:.2%}" if accuracy else "",
        *([deviation] if spread else []),
        f"{training['mean']:.2f}" if training else "",
        f"{row['epochs']}",
        f"{row['learning_rate']:g}",
        f"{row['weights']:,}",
        f"{row['biases']:,}",
        DEVICES[row["device"]],
    ]
