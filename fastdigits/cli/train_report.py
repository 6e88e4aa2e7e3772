"""What `fastdigits train` says while it works and when it is done."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from fastdigits.cli import interrupt


def watching(progress: bool | None, as_json: bool, say: Callable[[str], None], epochs: int, log_every: int) -> Any:
    """Lines, or lines and a bar, where a bar can be seen."""
    from fastdigits.cli.progress import Bar, Lines

    if progress is None:  # a bar beside lines that go elsewhere would hide them
        progress = sys.stderr.isatty() and (as_json or sys.stdout.isatty())
    if progress:
        return Bar(epochs, log_every)
    return Lines(say, epochs, log_every)


def patience(checkpoints: Any) -> AbstractContextManager:
    """With checkpoints Ctrl-C waits for the end of the step, so that one can be written."""
    return interrupt.patience() if checkpoints.path else nullcontext()


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
    from fastdigits.methods.spread import in_words

    accuracies = [in_words(f"{part} accuracy", averages[f"{part}_accuracy"]) for part in ("validation", "test")]
    return [f"{averages['trained']} trainings, {averages['dead_runs']} more were dead", *accuracies]
