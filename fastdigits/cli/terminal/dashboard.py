"""What moves on a terminal while a network learns, below the lines of its epochs."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from math import log
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.segment import Segment
from rich.style import Style

from fastdigits.cli.terminal import sparklines
from fastdigits.cli.terminal.progress import Lines
from fastdigits.cli.terminal.training_progress import Course
from fastdigits.config.training import TrainConfig

REFRESH_S = 0.1
REST = 100  # times what a refresh took pass before the next one, so that a slow terminal does not hold training up
LABEL, FIGURE = 9, 12  # characters
MIN_BAR, MIN_LOSS = 4, 1e-12
BOLD, MOVING, RESTING = Style(bold=True), Style(color="cyan"), Style(dim=True)


class Dashboard(Lines):
    """The same lines above bars for epoch and batch, and curves of loss (logarithmic) and accuracy.

    Rich's segments are made by hand: its tables and texts take four times as long. `lines_below` is whether the
    terminal shows the lines, too.
    """

    def __init__(self, say: Callable[[str], Any], config: TrainConfig, log_every: int, lines_below: bool):
        console = Console(file=sys.stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)
        super().__init__(console.print if lines_below else say, config.epochs, log_every)
        self.lines_below = lines_below
        self.course, self.batch_size, self.next_s = Course(config.epochs), config.batch_size, 0.0
        self.live = Live(self, console=console, auto_refresh=False, transient=True, redirect_stdout=lines_below)

    def display(self) -> AbstractContextManager:
        return self.live

    def on_run_start(self, title: str, done: int, total: int) -> None:
        super().on_run_start(title, done, total)
        self.course.begin(done, total)

    def joined(self, parts: list[str]) -> str:
        return sparklines.packed(parts, self.live.console.width) if self.lines_below else super().joined(parts)

    def on_step(self, epoch: int, images: int, total: int, metrics: Callable[[], tuple[float, float]]) -> None:
        super().on_step(epoch, images, total, metrics)
        if perf_counter() < self.next_s:
            return
        self.course.look(perf_counter(), epoch, images, total, *metrics())
        start = perf_counter()
        self.live.refresh()
        end = perf_counter()
        self.next_s = end + max(REFRESH_S, REST * (end - start))

    def __rich_console__(self, console: Console, options: Any) -> Iterator[Segment]:
        """The lines of the display, as wide as the terminal."""
        if not self.course.total:
            return
        plain = not options.encoding.startswith("utf")
        for label, middle, figure in self._rows(plain, options.max_width - LABEL - FIGURE - 1):
            yield Segment(f"{label:{LABEL}}", BOLD)
            yield from middle
            yield Segment(f"{figure:>{FIGURE}}")
            yield Segment.line()
        yield Segment(self._pace(), RESTING)

    def _rows(self, plain: bool, width: int) -> Iterator[tuple[str, list[Segment], str]]:
        """(label, bar or curve, figure) of every line but the last."""
        course, width = self.course, width if width >= MIN_BAR else 0

        def bar(share: float) -> list[Segment]:
            done, rest = sparklines.bar(share, width, plain)
            return [Segment(done, MOVING), Segment(rest, RESTING)]

        def logarithm(value: float | None) -> float | None:
            return None if value is None else log(max(value, MIN_LOSS))

        def curve(values: list[float | None]) -> list[Segment]:
            return [Segment(f"{sparklines.sparkline(values, plain):{width}}"[:width], MOVING)]

        if course.trainings > 1:
            yield "training", bar(course.overall), f"{course.training + 1}/{course.trainings}"
        batch, batches = (-(-images // (self.batch_size or course.total)) for images in (course.images, course.total))
        yield "epoch", bar(course.share), f"{course.epoch}/{course.epochs}"
        yield "batch", bar(course.images / course.total), f"{batch}/{batches}"
        yield "loss", curve([logarithm(value) for value in course.losses.resampled(width)]), f"{course.loss:.4f}"
        yield "accuracy", curve(course.accuracies.resampled(width)), f"{course.accuracy:.2%}"

    def _pace(self) -> str:
        speed, left = self.course.images_per_second, self.course.left_s(perf_counter())
        known = {f"{speed or 0:,.0f} images/s": speed, f"{sparklines.duration(left or 0)} left": left}
        return ", ".join(words for words, figure in known.items() if figure)
