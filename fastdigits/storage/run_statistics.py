"""Figures of many runs in one file, with their means; and the same beside it for people."""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from fastdigits.errors import UserError
from fastdigits.files import check_writable, write_atomically

Summary = dict[str, float]


def check(path: str | Path) -> None:
    """UserError unless `add` can add to this file later."""
    check_writable(path)
    if text_path(path) == Path(path):
        raise UserError(f"Averages go into a .txt file beside that of --stats {path}; name it .json.")
    check_writable(text_path(path))
    _content(Path(path))


def text_path(path: str | Path) -> Path:
    """FILE.txt beside FILE.json."""
    return Path(path).with_suffix(".txt")


def add(path: str | Path, runs: list[dict[str, Any]], dead: int = 0) -> None:
    """Add runs, as `train --json` prints them, and how many were dead, and renew the means over all of them.

    The file holds times_run; dead_runs, which no mean counts; times {step, epoch, training, validation, total},
    mean seconds; the accuracies of every run: epoch_accuracies, validation_accuracies, test_accuracies; and the runs.
    FILE.txt beside it holds the averages for people.
    """
    earlier = _content(Path(path))
    runs, dead = [*earlier["runs"], *runs], earlier["dead_runs"] + dead
    averages = {"times_run": len(runs), "dead_runs": dead, "times": _times(runs), **_accuracies(runs)}
    write_atomically(path, (json.dumps(averages | {"runs": runs}, indent=1) + "\n").encode())
    write_atomically(text_path(path), as_text(averages).encode())


def read(path: str | Path) -> list[dict[str, Any]]:
    """The runs in a file; UserError if there is no such file or it is none of statistics."""
    if not Path(path).exists():
        raise UserError(f"There is no file {path}; give one that 'fastdigits train --stats' wrote.")
    return _content(Path(path))["runs"]


def as_text(averages: dict[str, Any]) -> str:
    """The averages in words."""
    validation = [next((a for a in reversed(run) if a is not None), None) for run in averages["validation_accuracies"]]
    lines = [
        f"runs: {averages['times_run']}; {averages['dead_runs']} more were dead and are in no average",
        format_summary("test accuracy", summarize(averages["test_accuracies"])),
        format_summary("validation accuracy of the last epoch", summarize(validation)),
    ]
    for name, seconds in averages["times"].items():
        lines.append(f"mean seconds of {name}: " + ("none" if seconds is None else f"{seconds:.6g}"))
    return "\n".join(lines) + "\n"


def _content(path: Path) -> dict[str, Any]:
    """The runs that the file holds, and how many were dead."""
    if not path.exists():
        return {"runs": [], "dead_runs": 0}
    try:
        content = json.loads(path.read_text())
        runs, dead = content["runs"], content.get("dead_runs", 0)
        _times(runs), _accuracies(runs)
        if not (runs or dead) or type(dead) is not int:
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError, RecursionError):
        raise UserError(f"{path} is not a file of statistics; choose another file for --stats.") from None
    return {"runs": runs, "dead_runs": dead}


def _times(runs: list[dict[str, Any]]) -> dict[str, float | None]:
    epochs = [epoch for run in runs for epoch in run["epochs"]]
    return {
        "step": _mean([_step_s(run) for run in runs]),
        "epoch": _mean([epoch["seconds"] for epoch in epochs]),
        "training": _mean([run["seconds"]["train"] for run in runs]),
        "validation": _mean([run["seconds"]["validation"] for run in runs]),
        "total": _mean([run["seconds"]["total"] for run in runs]),
    }


def _step_s(run: dict[str, Any]) -> float | None:
    rate = run["images_per_second"]
    return None if rate is None else run["batch_size"] / rate


def _mean(values: list[float | None]) -> float | None:
    """Of those that are known: a resumed run does not know how long its first epochs took."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _accuracies(runs: list[dict[str, Any]]) -> dict[str, list]:
    return {
        "epoch_accuracies": [[epoch["train_accuracy"] for epoch in run["epochs"]] for run in runs],
        "validation_accuracies": [[epoch["validation_accuracy"] for epoch in run["epochs"]] for run in runs],
        "test_accuracies": [run["test"]["accuracy"] for run in runs],
    }


def summarize(values: Sequence[float | None]) -> Summary | None:
    """Mean, standard deviation (of n - 1; 0 for one value), lowest and highest; None where there is no value."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    deviation = stdev(known) if len(known) > 1 else 0.0
    return {"mean": fmean(known), "std": deviation, "min": min(known), "max": max(known)}


def format_summary(name: str, summary: Summary | None, form: str = ".2%") -> str:
    """One line such as "test accuracy: mean 98.00%, std 0.10%, lowest 97.90%, highest 98.10%"."""
    if summary is None:
        return f"{name}: none"
    mean, std, low, high = (format(summary[key], form) for key in ("mean", "std", "min", "max"))
    return f"{name}: mean {mean}, std {std}, lowest {low}, highest {high}"
