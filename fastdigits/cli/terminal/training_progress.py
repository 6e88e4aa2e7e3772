"""Track progress, speed and metrics of training. The caller passes the time, so that tests need no clock."""

from collections import deque
from math import isfinite, nan

CURVE_CELLS = 240  # at least as many as the columns of a terminal
SPEED_UPDATES = 20  # updates over which the speed is measured


class TrainingProgress:
    """The progress of the current one of several runs, each of `epochs` epochs.

    `losses` and `accuracies` hold the means over the images between two updates.
    """

    def __init__(self, epochs: int):
        self.epochs, self.run, self.runs = epochs, 0, 1
        self.start_run(0, 1)
        self.first_update: tuple[float, float] | None = None  # (seconds, fraction of all runs)

    def start_run(self, run: int, runs: int) -> None:
        """Start run number `run` of `runs`, counted from 0."""
        self.run, self.runs = run, runs
        self.epoch = self.images = self.total = 0
        self.loss = self.accuracy = nan
        self.losses, self.accuracies = Curve(), Curve()
        self.updates: deque[tuple[float, int]] = deque(maxlen=SPEED_UPDATES)  # (seconds, images of the run)

    def update(self, now: float, epoch: int, images: int, total: int, loss: float, accuracy: float) -> None:
        """Record that `images` of `total` images are done at time `now`, with the mean metrics of the epoch so far."""
        new_epoch = epoch != self.epoch
        self.epoch, self.images, self.total, self.loss, self.accuracy = epoch, images, total, loss, accuracy
        self.losses.add(self.fraction, loss, images, new_epoch)
        self.accuracies.add(self.fraction, accuracy, images, new_epoch)
        self.updates.append((now, (epoch - 1) * total + images))
        self.first_update = self.first_update or (now, self.total_fraction)

    @property
    def fraction(self) -> float:
        """Fraction of this run that is done."""
        return (self.epoch - 1 + self.images / self.total) / self.epochs if self.total else 0.0

    @property
    def total_fraction(self) -> float:
        """Fraction of all runs that is done."""
        return (self.run + self.fraction) / self.runs

    @property
    def images_per_second(self) -> float | None:
        """Mean speed over the latest updates, including the time between epochs; None before the second update."""
        (first, before), (last, after) = (self.updates[0], self.updates[-1]) if self.updates else ((0, 0), (0, 0))
        return (after - before) / (last - first) if last > first else None

    def seconds_left(self, now: float) -> float | None:
        """Estimate the seconds until all runs end, given the mean speed so far; None before the second update."""
        if self.first_update is None or self.total_fraction <= self.first_update[1]:
            return None
        start, fraction = self.first_update
        return (now - start) * (1 - self.total_fraction) / (self.total_fraction - fraction)


class Curve:
    """A metric over a run, stored as the latest value in each of CURVE_CELLS equal parts of the run."""

    def __init__(self) -> None:
        self.cells: list[float | None] = [None] * CURVE_CELLS
        self.sum = self.images = 0.0  # of the epoch

    def add(self, fraction: float, mean: float, images: int, new_epoch: bool) -> None:
        """Add the mean since the last call, given the mean over the first `images` images of the epoch."""
        before, done = (0.0, 0.0) if new_epoch else (self.sum, self.images)
        self.sum, self.images = mean * images, images
        if images > done and isfinite(value := (self.sum - before) / (images - done)):
            self.cells[min(int(fraction * CURVE_CELLS), CURVE_CELLS - 1)] = value

    def resample(self, width: int) -> list[float | None]:
        """Return one value per column for `width` columns, up to the last known value. Gaps repeat the value before."""
        last = max((number for number, value in enumerate(self.cells) if value is not None), default=-1)
        columns: list[float | None] = []
        value = None
        for number in range(last + 1):
            value = self.cells[number] if self.cells[number] is not None else value
            column = number * width // CURVE_CELLS
            columns += [value] * (column + 1 - len(columns))
            columns[column] = value
        return columns
