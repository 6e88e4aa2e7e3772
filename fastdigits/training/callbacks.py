"""Callbacks: how a program follows a training."""

from collections.abc import Callable

from fastdigits.errors import UserError
from fastdigits.storage.history import Epoch


class Callback:
    """Receive the events of a training; override the methods of interest.

    `on_step` and `on_epoch_end` are called between two steps. They may raise KeyboardInterrupt to end the training:
    the checkpoint that is then written can be resumed.
    """

    def on_run_start(self, title: str, done: int, total: int) -> None:
        """Run number `done` + 1 of `total` starts, possibly again with another seed."""

    def on_run_failed(self, reason: UserError) -> None:
        """The run failed; more runs or seeds follow."""

    def on_compiled(self, seconds: float) -> None:
        """All kernels are compiled."""

    def on_step(self, epoch: int, images: int, total: int, metrics: Callable[[], tuple[float, float]]) -> None:
        """A step ended: `images` of the `total` images of the epoch are done.

        `metrics()` returns the epoch's mean loss and accuracy so far. On a GPU it waits for the step.
        """

    def on_epoch_end(self, record: Epoch) -> None:
        """An epoch ended, and so did its validation."""
