"""The plan of the next training steps, which the host writes to the device once for many of them."""

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

import numpy as np

from fastdigits.data.batches import Batches
from fastdigits.ops.interface import Ops
from fastdigits.training.optimizer import Optimizer

MAX_STEPS = 1024  # that are planned at once, so that the table stays small


class Step(NamedTuple):
    """What differs from one training step to the next: its epoch, first image, number from 1 on, and learning rate."""

    epoch: int
    first: int
    number: int
    rate: float


class Plan:
    """The next training steps, as a table on the device and as the host's copy of it.

    A step takes the next row of the table on the device, so the host need not do anything between two steps. It must
    write a new plan if `next` is not the step that is to be run. Every step has another number, so that is also the
    case after a step that was interrupted before or after the device has taken its row.

    Parameters
    ----------
    ops : Ops
    batches : Batches
    optimizer : Optimizer
        The arrays of both get the numbers of a step when it takes them.

    Attributes
    ----------
    later : list of Step
        The steps whose numbers the device has not taken, from the last one to the next one.
    """

    def __init__(self, ops: Ops, batches: Batches, optimizer: Optimizer):
        self.ops, self.batches, self.optimizer = ops, batches, optimizer
        self.later: list[Step] = []
        self._table, self._rates = ops.zeros((MAX_STEPS, 3), np.int64), ops.zeros((MAX_STEPS,))
        self._taken = ops.zeros((1,), np.int64)

    @property
    def next(self) -> Step | None:
        """The step whose numbers the device takes next, or None if no step is planned."""
        return self.later[-1] if self.later else None

    def write(self, steps: Iterable[Step]) -> None:
        """Replace the plan by other steps, the first MAX_STEPS of which are planned."""
        self.later, upload = [], self.ops.upload
        planned = [*islice(steps, MAX_STEPS)]
        self._table[: len(planned)] = upload(np.array([step[:3] for step in planned], np.int64))
        self._rates[: len(planned)] = upload(np.array([step.rate for step in planned], np.float32))
        self._taken[...] = 0
        self.later = planned[::-1]

    def take(self) -> None:
        """Take the numbers of the next step on the device. This is recorded as a part of the step."""
        batches, optimizer = self.batches, self.optimizer
        self.ops.next_step(
            self._table, self._rates, self._taken, batches.epoch, batches.start, optimizer.count, optimizer.rate
        )

    def advance(self, steps: int) -> None:
        """Note on the host that the device has taken the numbers of some steps."""
        del self.later[-steps:]
