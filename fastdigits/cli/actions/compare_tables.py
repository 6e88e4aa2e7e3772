"""The tables of `fastdigits compare`."""

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

HEADS = ("model", "parameters", "multiply-adds", "epochs", "accuracy", "train s", "images/s")
CAPTION = "Accuracy on the test images, seconds of training, images classified per second."
FACTS = ("model", "parameters", "multiply_adds", "epochs", "runs")
STATISTICS = ("mean", "std", "min", "max")
SPREAD = ("std", "lowest", "highest")


def markdown(rows: Sequence[dict[str, Any]], title: str) -> str:
    """Format `ComparedModel.to_dict()` rows as a Markdown table, with the spread over repeated runs if any."""
    spread = any(row["runs"] > 1 for row in rows)
    heads = [*HEADS[:5], *(SPREAD if spread else ()), *HEADS[5:]]
    lines = table(heads, [_cells(row, spread) for row in rows])
    return "\n".join([title, "", *lines, "", CAPTION])


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Return the lines of a Markdown table with the first `left` columns aligned on the left."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    rule = ["-" * width if number < left else "-" * (width - 1) + ":" for number, width in enumerate(widths)]

    def aligned(cells: Sequence[str], numbers: Callable[[str, int], str]) -> str:
        return _line(
            [
                (str.ljust if number < left else numbers)(cell, width)
                for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
            ]
        )

    return [aligned(heads, str.ljust), _line(rule), *(aligned(row, str.rjust) for row in rows)]


def csv_text(rows: Sequence[dict[str, Any]]) -> str:
    """Format the rows as CSV with accuracies from 0 to 1, seconds, and images per second; unknown values are empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(
        [*FACTS, *(f"test_accuracy_{name}" for name in STATISTICS), "train_seconds", "read_images_per_second"]
    )
    for row in rows:
        accuracy, training = row["test_accuracy"] or {}, row["train_seconds"] or {}
        writer.writerow(
            [
                *(row[name] for name in FACTS),
                *(accuracy.get(name) for name in STATISTICS),
                training.get("mean"),
                row["read_images_per_second"],
            ]
        )
    return buffer.getvalue()


def _cells(row: dict[str, Any], spread: bool) -> list[str]:
    accuracy, training, read = row["test_accuracy"], row["train_seconds"], row["read_images_per_second"]
    accuracies = [f"{accuracy['mean']:.2%}" if accuracy else "", "", "", ""]
    if row["runs"] > 1:
        accuracies[1:] = [f"{accuracy[name]:.2%}" for name in STATISTICS[1:]]
    return [
        row["model"].replace("|", r"\|"),
        f"{row['parameters']:,}",
        f"{row['multiply_adds']:,}",
        f"{row['epochs']}",
        *accuracies[: 4 if spread else 1],
        f"{training['mean']:.2f}" if training else "",
        f"{read:,.0f}" if read else "",
    ]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
