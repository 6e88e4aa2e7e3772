"""Who looks on while a network learns."""

from collections.abc import Callable

from fastdigits.errors import UserError
from fastdigits.storage.history import Epoch


class Watcher:
    """What is told while training goes on; a subclass shows what it likes.

    A KeyboardInterrupt that `step` or `epoch` raises comes between two steps: then a checkpoint can be written.
    """

    def run(self, title: str, done: int, total: int) -> None:
        """A training begins after so many others, of so many; or one of them begins anew."""

    def dead(self, reason: UserError) -> None:
        """It came to nothing, and others follow."""

    def compiled(self, seconds: float) -> None:
        """The kernels are ready."""

    def step(self, epoch: int, images: int, total: int, figures: Callable[[], tuple[float, float]]) -> None:
        """So many images of the epoch are done; `figures` gives (loss, accuracy) so far, at the cost of a look."""

    def epoch(self, record: Epoch) -> None:
        """An epoch is over."""
