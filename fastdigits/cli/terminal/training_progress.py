"""How far a training has come, how fast it goes, and by which way; nothing here looks at the clock."""

from collections import deque
from math import isfinite, nan

CELLS = 240  # of the way from the first to the last step, at least as many as a terminal shows
LOOKS = 20  # that tell the present speed


class Course:
    """What is known after each look at one of several trainings of so many epochs.

    `losses` and `accuracies` hold what was measured between two looks, one figure for each cell of the way.
    """

    def __init__(self, epochs: int):
        self.epochs, self.training, self.trainings = epochs, 0, 1
        self.begin(0, 1)
        self.started: tuple[float, float] | None = None

    def begin(self, training: int, trainings: int) -> None:
        """A training begins after so many others, of so many."""
        self.training, self.trainings = training, trainings
        self.epoch = self.images = self.total = 0
        self.loss = self.accuracy = nan
        self.losses, self.accuracies = Trace(), Trace()
        self.looks: deque[tuple[float, int]] = deque(maxlen=LOOKS)

    def look(self, now: float, epoch: int, images: int, total: int, loss: float, accuracy: float) -> None:
        """So many images of an epoch are done, with these mean figures, at a time in seconds."""
        new = epoch != self.epoch
        self.epoch, self.images, self.total, self.loss, self.accuracy = epoch, images, total, loss, accuracy
        self.losses.add(self.share, loss, images, new)
        self.accuracies.add(self.share, accuracy, images, new)
        self.looks.append((now, (epoch - 1) * total + images))
        self.started = self.started or (now, self.overall)

    @property
    def share(self) -> float:
        """Of this training, that is done."""
        return (self.epoch - 1 + self.images / self.total) / self.epochs if self.total else 0.0

    @property
    def overall(self) -> float:
        """The share of all trainings that is done."""
        return (self.training + self.share) / self.trainings

    @property
    def images_per_second(self) -> float | None:
        """Between the last looks, with what lies between two epochs; None before the second look."""
        (first, before), (last, after) = (self.looks[0], self.looks[-1]) if self.looks else ((0, 0), (0, 0))
        return (after - before) / (last - first) if last > first else None

    def left_s(self, now: float) -> float | None:
        """Seconds until all trainings are over, if they go on as since the first look; None before the second one."""
        if self.started is None or self.overall <= self.started[1]:
            return None
        start, share = self.started
        return (now - start) * (1 - self.overall) / (self.overall - share)


class Trace:
    """A figure along the way: the last one that was measured in each of CELLS."""

    def __init__(self) -> None:
        self.cells: list[float | None] = [None] * CELLS
        self.sum = self.images = 0.0

    def add(self, share: float, mean: float, images: int, new: bool) -> None:
        """A mean over so many images of an epoch, which may be a new one, at this share of the way."""
        before, done = (0.0, 0.0) if new else (self.sum, self.images)
        self.sum, self.images = mean * images, images
        if images > done and isfinite(value := (self.sum - before) / (images - done)):
            self.cells[min(int(share * CELLS), CELLS - 1)] = value

    def resampled(self, width: int) -> list[float | None]:
        """One figure for each of so many columns up to the last one that is known; cells without one are like those
        before them."""
        last = max((number for number, value in enumerate(self.cells) if value is not None), default=-1)
        columns: list[float | None] = []
        value = None
        for number in range(last + 1):
            value = self.cells[number] if self.cells[number] is not None else value
            column = number * width // CELLS
            columns += [value] * (column + 1 - len(columns))
            columns[column] = value
        return columns
