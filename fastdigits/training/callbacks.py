"""Callbacks: follow the progress of training."""

from collections.abc import Callable

from fastdigits.errors import UserError
from fastdigits.storage.history import Epoch


class Callback:
    """Base class of callbacks, whose methods do nothing by default.

    `on_step` and `on_epoch_end` are called between two steps. They may raise KeyboardInterrupt to stop training, which
    keeps the weights so far. If a checkpoint file was given, it is then written, as after any other exception.
    """

    def on_run_start(self, title: str, done: int, total: int) -> None:
        """Called before run number `done` + 1 of `total`, and before each retry of it with another seed."""

    def on_run_failed(self, reason: UserError) -> None:
        """Called when a run has diverged or is no better than chance, except for a single run without retries left."""

    def on_compiled(self, seconds: float) -> None:
        """Called when all kernels have been compiled, which took `seconds`."""

    def on_step(self, epoch: int, images: int, total: int, metrics: Callable[[], tuple[float, float]]) -> None:
        """Called after each step, when `images` of the epoch's `total` images are done.

        `metrics()` returns the epoch's mean loss and accuracy so far. On a GPU it waits for the step to finish.
        """

    def on_epoch_end(self, record: Epoch) -> None:
        """Called after each epoch and its validation."""
