"""What `fastdigits train` says while it works and when it is done."""

import sys
from collections.abc import Callable
from typing import Any

from fastdigits.cli.terminal.progress import Lines
from fastdigits.config.training import TrainConfig


def watching(
    progress: bool | None, as_json: bool, say: Callable[[str], Any], config: TrainConfig, log_every: int
) -> Lines:
    """Lines, or lines and a display that moves, where it can be seen."""
    lines_below = as_json or sys.stdout.isatty()
    if progress is None:  # a display beside lines that go elsewhere would hide them
        progress = sys.stderr.isatty() and lines_below
    if not progress:
        return Lines(say, config.epochs, log_every)
    from fastdigits.cli.terminal.dashboard import Dashboard

    return Dashboard(say, config, log_every, lines_below)


def test_line(summary: dict[str, Any]) -> str:
    """What the network reached on the test images, and with which weights."""
    test, (low, high) = summary["test"], summary["test"]["interval_95"]
    earlier = summary["kept_epoch"] < len(summary["epochs"])
    return (
        f"test accuracy {test['accuracy']:.2%} ({test['correct']:,} of {test['images']:,}, 95 % interval {low:.2%} to "
        f"{high:.2%}), loss {test['loss']:.4f}, after {summary['seconds']['train']:.2f} s of training"
        + (f"; weights of epoch {summary['kept_epoch']}, the best by validation" if earlier else "")
    )


def averages_lines(averages: dict[str, Any]) -> list[str]:
    """What several trainings reached."""
    from fastdigits.storage.run_statistics import format_summary

    accuracies = [format_summary(f"{part} accuracy", averages[f"{part}_accuracy"]) for part in ("validation", "test")]
    return [f"{averages['trained']} trainings, {averages['dead_runs']} more were dead", *accuracies]
