"""The tables of `fastdigits sweep results`."""

import csv
import io
from collections.abc import Sequence

from fastdigits.cli.actions.compare_tables import STATISTICS, table
from fastdigits.plots.text import setting_text
from fastdigits.sweeps.ranking import Comparison, Standing

CAPTION = "Mean and standard deviation of the validation accuracy over the seeds, and mean seconds of training."
UNKNOWN = "unknown"  # the spread of a single run
FACTS = ("place", "model", "seeds", "folds", "failed", "validation_loss", "train_seconds", "parameters", "variant")


def lines(standings: Sequence[Standing]) -> list[str]:
    """Return the lines of a Markdown table of the settings, the best first."""
    heads, rows = cells(standings)
    escaped = [[cell.replace("|", r"\|") for cell in row] for row in rows]
    return table(heads, escaped, left=1 + (len(standings[0].settings) or 1))


def cells(standings: Sequence[Standing]) -> tuple[list[str], list[list[str]]]:
    """Return the heads and the cells of a table of the settings: place, settings, figures."""
    names = list(standings[0].settings) or ["model"]
    folds = ["folds"] if any(standing.folds for standing in standings) else []
    failed = ["failed"] if any(standing.failed for standing in standings) else []
    heads = ["place", *names, "seeds", *folds, *failed, "accuracy", "std", "lowest", "highest", "loss", "train s"]
    rows = []
    for one in standings:
        accuracy = one.accuracy
        rows.append(
            [
                str(one.place),
                *(setting_text(one.settings.get(name, one.rows[0].model)) for name in names),
                str(one.seeds),
                *([str(one.folds)] if folds else []),
                *([str(one.failed)] if failed else []),
                f"{accuracy['mean']:.2%}",
                *(UNKNOWN if accuracy["std"] is None else f"{accuracy[name]:.2%}" for name in STATISTICS[1:]),
                f"{one.loss:.4f}",
                f"{one.seconds:.2f}",
            ]
        )
    return heads, rows


def markdown(standings: Sequence[Standing], title: str, notes: Sequence[str]) -> str:
    """Return a Markdown text with the table of the settings."""
    return "\n".join([title, "", *lines(standings), "", " ".join([CAPTION, *(f"{note}." for note in notes)]), ""])


def csv_text(standings: Sequence[Standing]) -> str:
    """Format the settings as CSV, with accuracies from 0 to 1; unknown values are empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = list(standings[0].settings)
    own = [name for name in FACTS if name not in names]
    writer.writerow([*own, *(f"validation_accuracy_{name}" for name in STATISTICS), *names])
    for one in standings:
        content = one.to_dict()
        figures = [one.accuracy[name] for name in STATISTICS]
        settings = (None if value is None else setting_text(value) for value in one.settings.values())
        writer.writerow([*(content[name] for name in own), *figures, *settings])
    return buffer.getvalue()


def comparison_line(comparison: Comparison) -> str:
    """Describe the difference of two settings."""
    first, second, pairs = comparison.first, comparison.second, len(comparison.differences)
    text = (
        f"place {first.place} is {100 * comparison.difference:+.3f} percentage points from place {second.place} "
        f"over {pairs} {'pair' if pairs == 1 else 'pairs'} of runs with the same seeds"
    )
    interval = comparison.interval_95
    if interval is None:
        return f"{text}; the interval is unknown"
    low, high = (100 * end for end in interval)
    verdict = "includes" if low <= 0 <= high else "excludes"
    return f"{text}; the 95 % interval, {low:+.3f} to {high:+.3f}, {verdict} 0"
