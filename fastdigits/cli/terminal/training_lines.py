"""Training progress and results as lines of text."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import click

from fastdigits.cli.terminal import interrupt
from fastdigits.cli.terminal.sparklines import duration
from fastdigits.errors import UserError
from fastdigits.ops.runtime import compilation
from fastdigits.storage.history import Epoch
from fastdigits.storage.run_statistics import format_summary
from fastdigits.training.callbacks import Callback

PROGRESS_LINE_S = 30.0  # between two lines of the progress of several runs on a pipe


class TrainingLines(Callback):
    """Print one line per epoch, and one every `log_every` batches if that is not 0."""

    def __init__(self, say: Callable[[str], Any], epochs: int, log_every: int):
        self.say, self.epochs, self.log_every = say, epochs, log_every
        self.batches = 0

    @property
    def every_step(self) -> bool:
        return bool(self.log_every)

    def display(self) -> AbstractContextManager:
        """Return the context that must be open during training."""
        return nullcontext()

    @property
    def show_compilation(self) -> Callable[[str, bool], Any]:
        """Shows which kernel is being compiled; see `compilation.shown`."""
        return compilation.Line(self.say)

    def warn(self, line: str) -> None:
        """Print a warning on stderr."""
        click.echo(f"Warning: {line}", err=True)

    def on_run_start(self, title: str, done: int, total: int) -> None:
        self.say(title)

    def on_run_failed(self, reason: UserError) -> None:
        self.say(f"run failed: {reason}")

    def on_compiled(self, seconds: float) -> None:
        interrupt.check()
        interrupt.defer()
        self.say(f"kernels ready in {seconds:.1f} s")

    def on_step(self, epoch: int, images: int, total: int, metrics: Callable[[], tuple[float, float]]) -> None:
        interrupt.check()
        self.batches = self.batches + 1 if images < total else 0
        if self.log_every and self.batches and self.batches % self.log_every == 0:
            loss, accuracy = metrics()
            self.say(f"epoch {epoch}: {images} of {total} images, loss {loss:.4f}, accuracy {accuracy:.2%}")

    def on_epoch_end(self, record: Epoch) -> None:
        self.say(self.join(self._parts(record)))
        interrupt.check()

    def join(self, parts: list[str]) -> str:
        """Join the parts of the line of an epoch."""
        return "   ".join(parts)

    def _parts(self, record: Epoch) -> list[str]:
        validation = (
            [f"validation loss {record.validation_loss:.4f} accuracy {record.validation_accuracy:7.2%}"]
            if record.validation_loss is not None
            else []
        )
        return [
            f"epoch {record.epoch:{len(str(self.epochs))}}/{self.epochs}",
            f"train loss {record.train_loss:.4f} accuracy {record.train_accuracy:7.2%}",
            *validation,
            f"{record.images_per_second:,.0f} images/s",
            f"{record.seconds:.2f} s",
        ]


class RunsProgress:
    """Show how far several runs are: on a terminal in a line that changes, on a pipe in a line now and then.

    See `sweeps.repeats.Display`.

    Parameters
    ----------
    show : callable
        Shows the line; see `compilation.shown`.
    epochs : int
        Of each run.
    runs : int
    """

    def __init__(self, show: Callable[[str, bool], Any], epochs: int, runs: int):
        self._show, self._epochs, self._runs = show, epochs * runs, runs
        self._first: tuple[float, int] | None = None  # when the first epoch was done, after the workers had started
        self._interval_s = compilation.REDRAW_S if compilation.changes_in_place() else PROGRESS_LINE_S
        self._next_s = time.monotonic() + self._interval_s

    def compiling(self, line: str) -> None:
        """Show a line about the compilation in a worker; it is empty when the compilation ends."""
        self._show(line, not line)

    def clear(self) -> None:
        """Remove the line."""
        self._show("", True)

    def progress(self, epochs: int, finished: int) -> None:
        """Show the number of epochs that are done, that of the finished runs, and the time that is left."""
        now = time.monotonic()
        self._first = self._first or (now, epochs)
        if now < self._next_s:
            return
        self._next_s = now + self._interval_s
        first_s, before = self._first
        line = f"{epochs:,} of {self._epochs:,} epochs, {finished} of {self._runs} runs"
        if epochs > before:
            left_s = (now - first_s) * (self._epochs - epochs) / (epochs - before)
            line += f", about {duration(left_s)} left"
        self._show(line, False)


def result_line(summary: dict[str, Any]) -> str:
    """Describe the result of a run on the test images, given its summary."""
    test, (low, high) = summary["test"], summary["test"]["interval_95"]
    earlier = summary["kept_epoch"] < len(summary["epochs"])
    return (
        f"test accuracy {test['accuracy']:.2%} ({test['correct']:,} of {test['images']:,}, 95 % interval {low:.2%} to "
        f"{high:.2%}), loss {test['loss']:.4f}, after {summary['seconds']['train']:.2f} s of training"
        + (f"; weights of epoch {summary['kept_epoch']}, the best on the validation images" if earlier else "")
    )


def averages_lines(averages: dict[str, Any]) -> list[str]:
    """Describe the number of runs and their average accuracies."""
    accuracies = [format_summary(f"{part} accuracy", averages[f"{part}_accuracy"]) for part in ("validation", "test")]
    of_failures = "" if averages["trained"] else "; the averages are those of failed runs"
    return [f"{averages['trained']} runs succeeded, {averages['dead_runs']} failed{of_failures}", *accuracies]
