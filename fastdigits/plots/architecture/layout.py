"""Where each stage of a network goes: in rows, as words on a page. All lengths are in points, y goes upwards."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from fastdigits.inspection.stages import Stage
from fastdigits.plots.architecture.bodies import Body, Neurons, body_of, scale_of
from fastdigits.plots.architecture.labels import LINE, label_of, label_width, skip_label

WIDTH = 900  # of a row
GAP, BRANCH, SUM = 30, 14, 20  # between two bodies at least, and more where a way around a block begins or ends
BETWEEN_LABELS, BELOW, BETWEEN_ROWS = 12, 10, 30
ARC = 16  # from one way around a block to the next one out


@dataclass(frozen=True)
class Place:
    """A stage in a row, its body with its left at x and its middle at y, and its label from `label_top` down."""

    stage: Stage
    body: Body
    label: list[str]
    row: int
    x: float
    y: float
    label_top: float

    @property
    def right(self) -> float:
        """The right end of the body."""
        return self.x + self.body.width

    @property
    def top(self) -> float:
        """The upper end of the body."""
        return self.y + self.body.height / 2


class Layout:
    """The places of all stages; the whole is `width` wide and goes from y = 0 down to `bottom`."""

    def __init__(self, stages: list[Stage]):
        scale = scale_of([stage.shape for stage in stages])
        self.stages, self.labels = stages, [label_of(stage) for stage in stages]
        self.bodies = [body_of(stage.shape, scale) for stage in stages]
        self.places: list[Place] = []
        self.width, self.bottom = 0.0, 0.0
        self.bottoms: list[float] = []
        for number, row in enumerate(self._rows()):
            self._place(row, number)

    def heights(self, row: list[int]) -> dict[int, float]:
        """How far above the bodies of a row the ways around its blocks go, by the stage where they end."""
        heights: dict[int, float] = {}
        for end in row:
            if skip := self.stages[end].skip:
                within = [heights[i] + LINE * len(skip_label(self.stages[i].skip)) for i in heights if i > skip.source]
                heights[end] = ARC + max(within, default=0.0)
        return heights

    def _place(self, row: list[int], number: int) -> None:
        tallest = max(self.bodies[i].height for i in row)
        above = [height + LINE * len(skip_label(self.stages[i].skip)) for i, height in self.heights(row).items()]
        y = self.bottom - BETWEEN_ROWS * (number > 0) - max(above, default=0.0) - tallest / 2
        label_top = y - tallest / 2 - BELOW
        for i, middle in zip(row, self._middles(row), strict=True):
            x = middle - self.bodies[i].width / 2
            self.places.append(Place(self.stages[i], self.bodies[i], self.labels[i], number, x, y, label_top))
        self.bottom = label_top - LINE * max(len(self.labels[i]) for i in row)
        self.bottoms.append(self.bottom)
        self.width = max(self.width, self._row_width(row))

    def _rows(self) -> list[list[int]]:
        """As few rows as the width takes, of about equal lengths."""
        parts = list(self._unbroken())
        total = self._row_width([i for part in parts for i in part])
        fewest = len(self._filled(parts, WIDTH))
        limits = [*range(ceil(total / fewest), WIDTH, 20), WIDTH]
        return next(rows for limit in limits if len(rows := self._filled(parts, limit)) == fewest)

    def _filled(self, parts: list[list[int]], limit: float) -> list[list[int]]:
        rows = [parts[0]]
        for part in parts[1:]:
            if self._row_width(rows[-1] + part) <= limit:
                rows[-1] = rows[-1] + part
            else:
                rows.append(part)
        return rows

    def _unbroken(self) -> Iterator[list[int]]:
        """The stages that stay side by side: those of a residual block, and neurons that are joined to neurons."""
        part: list[int] = []
        for i, stage in enumerate(self.stages):
            neurons = i > 0 and all(isinstance(body, Neurons) for body in self.bodies[i - 1 : i + 1])
            if part and stage.block != self.stages[i - 1].block and not neurons:
                yield part
                part = []
            part.append(i)
        yield part

    def _row_width(self, row: list[int]) -> float:
        return self._middles(row)[-1] + self._half(row[-1])

    def _middles(self, row: list[int]) -> list[float]:
        """Where the middles of the bodies and labels of a row are."""
        first, branches = row[0], {stage.skip.source + 1 for stage in self.stages if stage.skip}
        middles = [max(self._half(first), self.bodies[first].width / 2 + (self._gap(first, branches) if first else 0))]
        for before, i in pairwise(row):
            bodies = (self.bodies[before].width + self.bodies[i].width) / 2 + self._gap(i, branches)
            labels = self._half(before, labels=True) + self._half(i, labels=True) + BETWEEN_LABELS
            after_skip = self._after_skip(i, dict(zip(row, middles, strict=False)))
            middles.append(max(middles[-1] + bodies, middles[-1] + labels, after_skip))
        return middles

    def _after_skip(self, i: int, middles: dict[int, float]) -> float:
        """Where a body may be at the earliest, so that the label of the way that ends there has room."""
        skip = self.stages[i].skip
        if not skip or not skip.lines:
            return 0.0
        return middles.get(skip.source, 0.0) + label_width(skip_label(skip)) + BETWEEN_LABELS

    def _gap(self, i: int, branches: set[int]) -> float:
        """Before a body."""
        return GAP + BRANCH * (i in branches) + SUM * bool(self.stages[i].skip)

    def _half(self, i: int, labels: bool = False) -> float:
        """Half the width of a label, or of a body where that is wider."""
        label = label_width(self.labels[i]) / 2
        return label if labels else max(label, self.bodies[i].width / 2)
