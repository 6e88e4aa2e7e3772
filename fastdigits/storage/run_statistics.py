"""Statistics over many runs: a JSON file with all runs and a text file with a summary next to it, or a CSV table."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from fastdigits.errors import UserError
from fastdigits.files import changing, check_writable, write_atomically
from fastdigits.storage import json_files, run_table
from fastdigits.storage.json_files import check_number

FIRST_WORD = b"runs: "  # of the text file
Summary = dict[str, Any]


def check(path: str | Path) -> None:
    """Check that `add` can add runs to this file; raise UserError if not."""
    check_writable(path)
    if _is_table(path):
        run_table.check(Path(path))
        return
    if _text_path(path) == Path(path):
        raise UserError(f"--stats {path} would be overwritten by its .txt summary; name it .json.")
    check_writable(_text_path(path))
    _check_text(_text_path(path))
    _content(Path(path))


def files(path: str | Path) -> list[str | Path]:
    """Return the files that `add` writes: FILE.json and FILE.txt, or only FILE.csv."""
    return [path] if _is_table(path) else [path, _text_path(path)]


def add(path: str | Path, runs: list[dict[str, Any]], dead: int = 0) -> None:
    """Add runs to the file and update the statistics over all runs.

    A file whose name ends with .csv is a table, see `run_table`. Any other is JSON. It is written before the text file,
    so that after a crash the text may lack the last runs until more are added.

    The JSON file has the keys `times_run`, the number of finished runs; `dead_runs`, the number of failed ones, which
    no statistic includes; `times`, the mean seconds of {step, epoch, training, validation, total}; `epoch_accuracies`,
    `validation_accuracies` and `test_accuracies` of every run; and `runs`.

    Parameters
    ----------
    path : path
    runs : list of dict
        As `fastdigits train --json` prints them.
    dead : int
        Number of runs that failed.
    """
    if _is_table(path):
        run_table.add(Path(path), runs)
        return
    with changing(path):
        earlier = _content(Path(path))
        runs, dead = [*earlier["runs"], *runs], earlier["dead_runs"] + dead
        averages = _averages(runs, dead)
        write_atomically(path, _as_json(averages, runs))
        write_atomically(_text_path(path), as_text(averages).encode())


def read(path: str | Path) -> list[dict[str, Any]]:
    """Return the runs in a file; raise UserError if it does not exist or is not a statistics file."""
    if _is_table(path):
        raise UserError(f"{path} is a table for spreadsheets; give the .json file of another 'train --stats'.")
    if not Path(path).exists():
        raise UserError(f"There is no file {path}; give one that 'fastdigits train --stats' wrote.")
    return _content(Path(path))["runs"]


def as_text(averages: dict[str, Any]) -> str:
    """Format the statistics as text."""
    validation = [next((a for a in reversed(run) if a is not None), None) for run in averages["validation_accuracies"]]
    lines = [
        f"runs: {averages['times_run']}; {averages['dead_runs']} more failed and are in no average",
        format_summary("test accuracy", summarize(averages["test_accuracies"])),
        format_summary("validation accuracy of the last epoch", summarize(validation)),
    ]
    for name, seconds in averages["times"].items():
        lines.append(f"mean seconds of {name}: " + ("none" if seconds is None else f"{seconds:.6g}"))
    return "\n".join(lines) + "\n"


def summarize(values: Sequence[float | None]) -> Summary | None:
    """Return mean, sample standard deviation (None for one value), min and max of the known values, or None."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    deviation = stdev(known) if len(known) > 1 else None
    return {"mean": fmean(known), "std": deviation, "min": min(known), "max": max(known)}


def format_summary(name: str, summary: Summary | None, form: str = ".2%") -> str:
    """Format a line such as "test accuracy: mean 98.00%, std 0.10%, lowest 97.90%, highest 98.10%"."""
    if summary is None:
        return f"{name}: none"
    mean, std, low, high = (
        "unknown" if summary[key] is None else format(summary[key], form) for key in ("mean", "std", "min", "max")
    )
    return f"{name}: mean {mean}, std {std}, lowest {low}, highest {high}"


def _content(path: Path) -> dict[str, Any]:
    """Return {"runs": list, "dead_runs": int}; an empty list and 0 if the file does not exist."""
    if not path.exists():
        return {"runs": [], "dead_runs": 0}
    try:
        content = json_files.parse(path.read_bytes())
        runs, dead = content["runs"], content.get("dead_runs", 0)
        if type(runs) is not list or type(dead) is not int or not (runs or dead):
            raise ValueError
        check_number(dead, 0)
        for run in runs:
            _check_run(run)
        _as_json(_averages(runs, dead), runs)
    except (OSError, *json_files.MALFORMED):
        raise UserError(f"{path} is not a statistics file; choose another file for --stats.") from None
    return {"runs": runs, "dead_runs": dead}


def _check_run(run: dict[str, Any]) -> None:
    """Check the numbers that statistics and reports use; raise one of MALFORMED if something is wrong with them."""
    for epoch in run["epochs"]:
        epoch.keys()  # a list has none
        check_number(epoch["seconds"], 0, optional=True)
        check_number(epoch["train_accuracy"], 0, 1)
        check_number(epoch["validation_accuracy"], 0, 1, optional=True)
    check_number(run["test"]["accuracy"], 0, 1)
    check_number(run["batch_size"], 1)
    check_number(run["images_per_second"], 1e-9, optional=True)
    for seconds in run["seconds"].values():
        check_number(seconds, 0, optional=True)
    for name in ("train", "validation", "total"):
        check_number(run["seconds"][name])


def _is_table(path: str | Path) -> bool:
    return Path(path).suffix.lower() == ".csv"


def _text_path(path: str | Path) -> Path:
    """Return the path of the text file: FILE.txt for FILE.json."""
    return Path(path).with_suffix(".txt")


def _check_text(path: Path) -> None:
    """Raise UserError if there is a text file of somebody else."""
    with suppress(OSError), path.open("rb") as file:
        if file.read(len(FIRST_WORD)) != FIRST_WORD:
            raise UserError(f"The summary of --stats would replace {path}, which is another file; choose another name.")


def _averages(runs: list[dict[str, Any]], dead: int) -> dict[str, Any]:
    return {"times_run": len(runs), "dead_runs": dead, "times": _times(runs), **_accuracies(runs)}


def _as_json(averages: dict[str, Any], runs: list[dict[str, Any]]) -> bytes:
    return (json.dumps(averages | {"runs": runs}, indent=1) + "\n").encode()


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
    """Return the mean of the known values: a resumed run lacks the times of its first epochs."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _accuracies(runs: list[dict[str, Any]]) -> dict[str, list]:
    return {
        "epoch_accuracies": [[epoch["train_accuracy"] for epoch in run["epochs"]] for run in runs],
        "validation_accuracies": [[epoch["validation_accuracy"] for epoch in run["epochs"]] for run in runs],
        "test_accuracies": [run["test"]["accuracy"] for run in runs],
    }
