"""Show the progress of `Sequential.fit`: one line on a terminal or in a notebook, or a line per epoch."""

import sys
from collections.abc import Callable
from time import monotonic

from fastdigits.ops.runtime.compilation import REDRAW_S, Line, changes_in_place
from fastdigits.storage.history import Epoch
from fastdigits.training.callbacks import Callback


class Progress(Callback):
    """Write the progress to stderr.

    Parameters
    ----------
    epochs : int
        Number of all epochs.
    in_place : bool
        Whether to keep to one line, which changes. On a pipe there is a line per epoch in any case.
    """

    every_step = False

    def __init__(self, epochs: int, in_place: bool):
        self.epochs, self.in_place = epochs, in_place and changes_in_place()
        self.line, self._next_s, self._last = Line(), 0.0, ""

    def on_step(self, epoch: int, images: int, total: int, metrics: Callable[[], tuple[float, float]]) -> None:
        if self.in_place and monotonic() >= self._next_s:
            self._next_s = monotonic() + REDRAW_S
            loss, accuracy = metrics()
            done = f"epoch {epoch} of {self.epochs}, {images / total:.0%}"
            self._show(f"{done}: loss {loss:.4f}, accuracy {accuracy:.2%}")

    def on_epoch_end(self, record: Epoch) -> None:
        text = (
            f"epoch {record.epoch} of {self.epochs}: loss {record.train_loss:.4f}, accuracy {record.train_accuracy:.2%}"
        )
        if record.validation_loss is not None:
            text += f", validation loss {record.validation_loss:.4f}, accuracy {record.validation_accuracy:.2%}"
        self._show(text)

    def close(self) -> None:
        """End the line, so that what is written next does not overwrite it."""
        if self.in_place and self._last and sys.stderr is not None:
            sys.stderr.write("\n")
            sys.stderr.flush()

    def _show(self, text: str) -> None:
        self._last = text
        if self.in_place:
            self.line(text, False)
        elif sys.stderr is not None:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()
