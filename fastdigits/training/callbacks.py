"""Who looks on while a network learns."""

from collections.abc import Callable

from fastdigits.errors import UserError
from fastdigits.storage.history import Epoch


class Callback:
    """What is told while training goes on; a subclass shows what it likes.

    A KeyboardInterrupt that `step` or `epoch` raises comes between two steps: then a checkpoint can be written.
    """

    def on_run_start(self, title: str, done: int, total: int) -> None:
        """A training begins after so many others, of so many; or one of them begins anew."""

    def on_run_failed(self, reason: UserError) -> None:
        """It came to nothing, and others follow."""

    def on_compiled(self, seconds: float) -> None:
        """The kernels are ready."""

    def on_step(self, epoch: int, images: int, total: int, metrics: Callable[[], tuple[float, float]]) -> None:
        """So many images of the epoch are done; `figures` gives (loss, accuracy) so far, at the cost of a look."""

    def on_epoch_end(self, record: Epoch) -> None:
        """An epoch is over."""
