"""Place the stages of a network in rows, as words on a page. All lengths are in points, and y goes upwards."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from fastdigits.inspection.stages import Stage
from fastdigits.plots.architecture.bodies import Body, Neurons, body_of, scale_of
from fastdigits.plots.architecture.labels import LINE, label_of, label_width, skip_label

WIDTH = 900  # of a row, at most
WIDTH_STEP = 20  # between the row widths that are tried
GAP = 30  # between two bodies, at least
SKIP_START, SKIP_END = 14, 20  # added to the gap where a skip connection starts or ends
BETWEEN_LABELS, BETWEEN_ROWS = 12, 30
BELOW = 10  # from the tallest body of a row to the labels
SKIP_PITCH = 16  # between nested skip connections, and from the innermost one to the bodies


@dataclass(frozen=True)
class Place:
    """Position of a stage.

    Attributes
    ----------
    stage : Stage
    body : Body
    label : list of str
    row : int
    x, y : float
        Left end and vertical middle of the body.
    label_top : float
        Upper end of the label.
    """

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
    """Positions of all stages.

    Attributes
    ----------
    places : list of Place
    bodies : list of Body
    width : float
        Width of the widest row.
    bottom : float
        Lower end of the drawing, below 0. The upper end is at y = 0.
    bottoms : list of float
        Lower end of each row.
    """

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
        """Return the heights of a row's skip connections above the tallest body, by the index of their last stage."""
        heights: dict[int, float] = {}
        for end in row:
            if skip := self.stages[end].skip:
                nested = [heights[i] + self._skip_label_height(i) for i in heights if i > skip.source]
                heights[end] = SKIP_PITCH + max(nested, default=0.0)
        return heights

    def _place(self, row: list[int], number: int) -> None:
        """Append the places of a row below all others."""
        tallest = max(self.bodies[i].height for i in row)
        above = [height + self._skip_label_height(i) for i, height in self.heights(row).items()]
        y = self.bottom - BETWEEN_ROWS * (number > 0) - max(above, default=0.0) - tallest / 2
        label_top = y - tallest / 2 - BELOW
        for i, middle in zip(row, self._middles(row), strict=True):
            x = middle - self.bodies[i].width / 2
            self.places.append(Place(self.stages[i], self.bodies[i], self.labels[i], number, x, y, label_top))
        self.bottom = label_top - LINE * max(len(self.labels[i]) for i in row)
        self.bottoms.append(self.bottom)
        self.width = max(self.width, self._row_width(row))

    def _rows(self) -> list[list[int]]:
        """Break the stages into as few rows as possible, of about equal widths."""
        groups = list(self._groups())
        total = self._row_width([i for group in groups for i in group])
        fewest = len(self._fill_rows(groups, WIDTH))
        limits = [*range(ceil(total / fewest), WIDTH, WIDTH_STEP), WIDTH]
        return next(rows for limit in limits if len(rows := self._fill_rows(groups, limit)) == fewest)

    def _groups(self) -> Iterator[list[int]]:
        """Yield stages that must share a row: those of a residual block, and consecutive columns of neurons."""
        group: list[int] = []
        for i, stage in enumerate(self.stages):
            neurons = i > 0 and all(isinstance(body, Neurons) for body in self.bodies[i - 1 : i + 1])
            if group and stage.block != self.stages[i - 1].block and not neurons:
                yield group
                group = []
            group.append(i)
        yield group

    def _fill_rows(self, groups: list[list[int]], limit: float) -> list[list[int]]:
        rows = [groups[0]]
        for group in groups[1:]:
            if self._row_width(rows[-1] + group) <= limit:
                rows[-1] = rows[-1] + group
            else:
                rows.append(group)
        return rows

    def _row_width(self, row: list[int]) -> float:
        return self._middles(row)[-1] + self._half_width(row[-1])

    def _middles(self, row: list[int]) -> list[float]:
        """Return the horizontal middles of the bodies and labels of a row."""
        first, after_branch = row[0], {stage.skip.source + 1 for stage in self.stages if stage.skip}
        gap = self._gap(first, after_branch) if first else 0  # an arrow leads to the first body of all rows but one
        middles = [max(self._half_width(first), self.bodies[first].width / 2 + gap)]
        for before, i in pairwise(row):
            bodies = (self.bodies[before].width + self.bodies[i].width) / 2 + self._gap(i, after_branch)
            labels = (label_width(self.labels[before]) + label_width(self.labels[i])) / 2 + BETWEEN_LABELS
            after_skip = self._min_middle(i, dict(zip(row, middles, strict=False)))
            middles.append(max(middles[-1] + bodies, middles[-1] + labels, after_skip))
        return middles

    def _min_middle(self, i: int, middles: dict[int, float]) -> float:
        """Return the smallest middle of a body that leaves room for the label of the skip connection to it."""
        skip = self.stages[i].skip
        if not skip or not skip.lines:
            return 0.0
        return middles.get(skip.source, 0.0) + label_width(skip_label(skip)) + BETWEEN_LABELS

    def _gap(self, i: int, after_branch: set[int]) -> float:
        """Return the least distance from a body to the one before it."""
        return GAP + SKIP_START * (i in after_branch) + SKIP_END * bool(self.stages[i].skip)

    def _half_width(self, i: int) -> float:
        return max(label_width(self.labels[i]), self.bodies[i].width) / 2

    def _skip_label_height(self, i: int) -> float:
        skip = self.stages[i].skip
        return LINE * len(skip_label(skip)) if skip else 0.0
