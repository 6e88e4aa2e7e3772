"""Train a finished network further. Its file has no state of the optimizer, which starts from its initial state."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastdigits.config.training import TrainConfig
from fastdigits.errors import UserError
from fastdigits.files import StrPath
from fastdigits.storage.history import Epoch, epochs_since_best
from fastdigits.storage.weights import SavedNetwork

if TYPE_CHECKING:
    from fastdigits.training.trainer import Trainer


@dataclass(frozen=True, eq=False)
class Continuation:
    """A finished network to train for more epochs: the content of the weights file at `path`.

    Training continues with the weights in the file, also if they are those of the best epoch or an average. The
    optimizer and the moving average start from their initial state. The result is the same bits each time, but not
    those of an uninterrupted training.
    """

    path: StrPath
    saved: SavedNetwork

    def check(self, config: TrainConfig) -> None:
        """Check that there is something left to train.

        Raises
        ------
        UserError
            If the network has been trained for all epochs of the configuration, or was stopped early.
        """
        history = self.epochs()
        if len(history) >= config.epochs:
            raise UserError(
                f"{self.path}: it has been trained for {len(history)} epochs already; give more --epochs, such as "
                f"{2 * len(history)}."
            )
        if config.early_stop is not None and epochs_since_best(history) >= config.early_stop:
            raise UserError(
                f"{self.path}: --early-stop {config.early_stop} has ended its training, and would end it again; train "
                "a new network without it."
            )

    def epochs(self) -> list[Epoch]:
        """Return the history of the network."""
        return [Epoch(**epoch) for epoch in self.saved.history]

    def restore(self, trainer: "Trainer") -> None:
        """Set weights and history of a new trainer.

        Raises
        ------
        UserError
            If the network was trained on other images, as far as their mean and standard deviation tell.
        """
        if self.saved.normalisation != trainer.batches.normalisation:
            raise UserError("it was trained on other images; give the same --data.")
        trainer.history = self.epochs()
        trainer.network.set_weights(self.saved.weights)
        if trainer.ema:
            trainer.ema.values[...] = trainer.network.buffer.values
        if trainer.config.keeps_best:
            trainer.best_weights = self.saved.weights
