"""Callbacks: follow the progress of training, and change its course."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from reprlib import repr as shown
from typing import TYPE_CHECKING, Any

from fastdigits.config.training import TrainConfig
from fastdigits.errors import UserError
from fastdigits.storage.history import Epoch

if TYPE_CHECKING:
    from fastdigits.nn.network import Network
    from fastdigits.training.trainer import Trainer


class Training:
    """A training run in progress, which a callback may stop or train at another learning rate."""

    def __init__(self, trainer: "Trainer"):
        self._trainer = trainer

    @property
    def network(self) -> "Network":
        """The network that is being trained; `network.weights()` copies its weights."""
        return self._trainer.network

    @property
    def config(self) -> TrainConfig:
        """The settings of the training."""
        return self._trainer.config

    @property
    def epochs(self) -> list[Epoch]:
        """The metrics of the epochs so far, also of those before a checkpoint that is resumed."""
        return list(self._trainer.history)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step, before the schedule multiplies it by its factor. It can be set.

        Raises
        ------
        UserError
            If it is set to a number that is not positive and finite.
        """
        return self._trainer.optimizer.lr

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        if not isinstance(rate, int | float) or not (isfinite(rate) and rate > 0):
            raise UserError(f"The learning rate must be a positive number, not {shown(rate)}.")
        self._trainer.optimizer.lr = float(rate)

    def stop(self) -> None:
        """End training after the current step, as if the current epoch were complete and the last one."""
        self._trainer.stopped = True


class Callback:
    """Base class of callbacks, whose methods do nothing by default.

    `on_step` and `on_epoch_end` are called between two steps. There, `self.training.stop()` ends training, and setting
    `self.training.learning_rate` changes the learning rate of the following steps. They may also raise
    KeyboardInterrupt to stop training, which keeps the weights so far. If a checkpoint file was given, it is then
    written, as after any other exception.

    Attributes
    ----------
    training : Training
        The run that the callback follows, from `on_train_start` on.

    Examples
    --------
    >>> from fastdigits import Callback
    >>> class StopAt99(Callback):
    ...     def on_epoch_end(self, record):
    ...         if record.validation_accuracy > 0.99:
    ...             self.training.stop()
    """

    training: Training

    @property
    def every_step(self) -> bool:
        """Whether `on_step` must be called after each step, as it is in classes that define it.

        Otherwise, it is called some hundred times a second at most, which is faster.
        """
        return type(self).on_step is not Callback.on_step

    def on_run_start(self, title: str, done: int, total: int) -> None:
        """Called before run number `done` + 1 of `total`, and before each retry of it with another seed."""

    def on_run_failed(self, reason: UserError) -> None:
        """Called when a run has diverged or is no better than chance, except for a single run without retries left."""

    def on_compiled(self, seconds: float) -> None:
        """Called when all kernels have been compiled, which took `seconds`."""

    def on_train_start(self, training: Training) -> None:
        """Called before the first step; it sets `self.training`."""
        self.training = training

    def on_step(self, epoch: int, images: int, total: int, metrics: Callable[[], tuple[float, float]]) -> None:
        """Called after each step, unless `every_step` is False, when `images` of the epoch's `total` images are done.

        `metrics()` returns the epoch's mean loss and accuracy so far. On a GPU it waits for the step to finish.
        """

    def on_epoch_end(self, record: Epoch) -> None:
        """Called after each epoch and its validation."""

    def on_train_end(self, error: BaseException | None) -> None:
        """Called when training has ended; `error` is the exception that ended it before its last epoch, or None."""


class Callbacks(Callback):
    """Several callbacks, called one after the other."""

    def __init__(self, callbacks: Sequence[Callback]):
        self.callbacks = callbacks

    @property
    def every_step(self) -> bool:
        return any(callback.every_step for callback in self.callbacks)

    def on_compiled(self, seconds: float) -> None:
        self._call("on_compiled", seconds)

    def on_train_start(self, training: Training) -> None:
        self._call("on_train_start", training)

    def on_step(self, epoch: int, images: int, total: int, metrics: Callable[[], tuple[float, float]]) -> None:
        self._call("on_step", epoch, images, total, metrics)

    def on_epoch_end(self, record: Epoch) -> None:
        self._call("on_epoch_end", record)

    def on_train_end(self, error: BaseException | None) -> None:
        self._call("on_train_end", error)

    def _call(self, event: str, *arguments: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(*arguments)


@contextmanager
def following(callback: Callback, training: Training) -> Iterator[None]:
    """Call `on_train_start` before the block and `on_train_end` after it, however it ends."""
    try:
        callback.on_train_start(training)
        yield
    except BaseException as error:
        callback.on_train_end(error)
        raise
    callback.on_train_end(None)
