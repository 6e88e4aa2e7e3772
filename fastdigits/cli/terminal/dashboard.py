"""The dashboard of a training run on a terminal: bars and curves below the lines of the epochs."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from math import log
from time import perf_counter
from typing import Any

from rich.console import Console, ConsoleOptions
from rich.live import Live
from rich.segment import Segment
from rich.style import Style

from fastdigits.cli.terminal import sparklines
from fastdigits.cli.terminal.training_lines import TrainingLines
from fastdigits.cli.terminal.training_progress import TrainingProgress
from fastdigits.config.training import TrainConfig

REFRESH_S = 0.1
REST = 100  # wait at least this many times the duration of a refresh, so that a slow terminal costs at most 1 %
LABEL_WIDTH, VALUE_WIDTH = 9, 12  # characters
MIN_BAR, MIN_LOSS = 4, 1e-12
BOLD, DONE, DIM = Style(bold=True), Style(color="cyan"), Style(dim=True)


class Dashboard(TrainingLines):
    """Print training lines, and below them bars for epoch and batch, and curves of loss (log scale) and accuracy.

    The segments are built by hand, because the tables and texts of rich take four times as long. `lines_on_terminal`
    is true if the lines go to the same terminal.
    """

    def __init__(self, say: Callable[[str], Any], config: TrainConfig, log_every: int, lines_on_terminal: bool):
        console = Console(file=sys.stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)
        super().__init__(console.print if lines_on_terminal else say, config.epochs, log_every)
        self.lines_on_terminal = lines_on_terminal
        self.progress, self.batch_size = TrainingProgress(config.epochs), config.batch_size
        self.next_refresh_s = 0.0
        self.compilation = ""
        self.live = Live(self, console=console, auto_refresh=False, transient=True, redirect_stdout=lines_on_terminal)

    def display(self) -> AbstractContextManager:
        return self.live

    def show_compilation(self, line: str, _last: bool) -> None:
        """Show a line about the compilation in place of the dashboard."""
        self.compilation = line
        self.live.refresh()

    def warn(self, line: str) -> None:
        self.live.console.print(f"Warning: {line}")

    def on_run_start(self, title: str, done: int, total: int) -> None:
        super().on_run_start(title, done, total)
        self.progress.start_run(done, total)

    def on_step(self, epoch: int, images: int, total: int, metrics: Callable[[], tuple[float, float]]) -> None:
        super().on_step(epoch, images, total, metrics)
        if perf_counter() < self.next_refresh_s:
            return
        self.progress.update(perf_counter(), epoch, images, total, *metrics())
        start = perf_counter()
        self.live.refresh()
        end = perf_counter()
        self.next_refresh_s = end + max(REFRESH_S, REST * (end - start))

    def join(self, parts: list[str]) -> str:
        return sparklines.wrap(parts, self.live.console.width) if self.lines_on_terminal else super().join(parts)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """Yield the segments of the dashboard, for the width of the terminal."""
        if self.compilation:
            yield Segment(self.compilation, DIM)
            return
        if not self.progress.total:
            return
        ascii_only = not options.encoding.startswith("utf")
        for label, middle, value in self._rows(ascii_only, options.max_width - LABEL_WIDTH - VALUE_WIDTH - 1):
            yield Segment(f"{label:{LABEL_WIDTH}}", BOLD)
            yield from middle
            yield Segment(f"{value:>{VALUE_WIDTH}}")
            yield Segment.line()
        yield Segment(self._speed(), DIM)

    def _rows(self, ascii_only: bool, width: int) -> Iterator[tuple[str, list[Segment], str]]:
        """Yield (label, bar or curve, value) for every row but the last."""
        progress, width = self.progress, width if width >= MIN_BAR else 0

        def bar(fraction: float) -> list[Segment]:
            done, rest = sparklines.bar(fraction, width, ascii_only)
            return [Segment(done, DONE), Segment(rest, DIM)]

        def curve(values: list[float | None]) -> list[Segment]:
            return [Segment(f"{sparklines.sparkline(values, ascii_only):{width}}"[:width], DONE)]

        def logarithm(value: float | None) -> float | None:
            return None if value is None else log(max(value, MIN_LOSS))

        if progress.runs > 1:
            yield "training", bar(progress.total_fraction), f"{progress.run + 1}/{progress.runs}"
        batch_size = self.batch_size or progress.total
        batch, batches = (-(-images // batch_size) for images in (progress.images, progress.total))
        losses = [logarithm(value) for value in progress.losses.resample(width)]
        yield "epoch", bar(progress.fraction), f"{progress.epoch}/{progress.epochs}"
        yield "batch", bar(progress.images / progress.total), f"{batch}/{batches}"
        yield "loss", curve(losses), f"{progress.loss:.4f}"
        yield "accuracy", curve(progress.accuracies.resample(width)), f"{progress.accuracy:.2%}"

    def _speed(self) -> str:
        speed, left = self.progress.images_per_second, self.progress.seconds_left(perf_counter())
        parts = {f"{speed or 0:,.0f} images/s": speed, f"{sparklines.duration(left or 0)} left": left}
        return ", ".join(text for text, value in parts.items() if value)
