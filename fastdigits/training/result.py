"""The result of a training run."""

from dataclasses import dataclass

from fastdigits.data.preprocessing import Normalisation
from fastdigits.storage.history import Epoch
from fastdigits.training.verdict import Verdict


@dataclass(frozen=True)
class TrainingResult:
    """The result of `train`; the trained weights are in the network.

    Attributes
    ----------
    normalisation : Normalisation
    epochs : list of Epoch
    seconds : dict
        Of "compile", "train" and "validation"; without the epochs before a resumed checkpoint.
    images_per_second : float or None
        None if a resumed checkpoint had no step left to train.
    batch_size : int
    kept_epoch : int
        Number of the epoch that the network's weights are from.
    verdict : Verdict or None
        Whether the network does better than chance; None if training failed or was interrupted.
    """

    normalisation: Normalisation
    epochs: list[Epoch]
    seconds: dict[str, float]
    images_per_second: float | None
    batch_size: int
    kept_epoch: int
    verdict: Verdict | None = None
