"""Figures of many runs in one file, with their means."""

import json
from pathlib import Path
from statistics import fmean
from typing import Any

from fastdigits.errors import UserError
from fastdigits.files import check_writable, write_atomically


def check(path: str | Path) -> None:
    """UserError unless `add` can add to this file later."""
    check_writable(path)
    _runs(Path(path))


def add(path: str | Path, run: dict[str, Any]) -> None:
    """Add one run, as `train --json` prints it, and renew the means over all of them.

    The file holds times_run; times {step, epoch, training, validation, total}, mean seconds; the
    accuracies of every run: epoch_accuracies, validation_accuracies, test_accuracies; and the runs.
    """
    runs = [*_runs(Path(path)), run]
    content = {"times_run": len(runs), "times": _times(runs), **_accuracies(runs), "runs": runs}
    write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())


def _runs(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    try:
        runs = json.loads(path.read_text())["runs"]
        _times(runs), _accuracies(runs)
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError, RecursionError):
        raise UserError(f"{path} is not a file of statistics; choose another file for --stats.") from None
    return runs


def _times(runs: list[dict[str, Any]]) -> dict[str, float]:
    epochs = [epoch for run in runs for epoch in run["epochs"]]
    return {
        "step": fmean(run["batch_size"] / run["images_per_second"] for run in runs),
        "epoch": fmean(epoch["seconds"] for epoch in epochs),
        "training": fmean(run["seconds"]["train"] for run in runs),
        "validation": fmean(run["seconds"]["validation"] for run in runs),
        "total": fmean(run["seconds"]["total"] for run in runs),
    }


def _accuracies(runs: list[dict[str, Any]]) -> dict[str, list]:
    return {
        "epoch_accuracies": [[epoch["train_accuracy"] for epoch in run["epochs"]] for run in runs],
        "validation_accuracies": [[epoch["validation_accuracy"] for epoch in run["epochs"]] for run in runs],
        "test_accuracies": [run["test"]["accuracy"] for run in runs],
    }
