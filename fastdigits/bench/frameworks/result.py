"""The result of training a network in a framework, once or several times."""

from dataclasses import dataclass
from typing import Any

from fastdigits.config.training import TrainConfig
from fastdigits.nn import Network
from fastdigits.storage.run_statistics import summarize
from fastdigits.training.optimizer import lr_of

OURS = "fastdigits"
BIASES = ("bias", "beta")


@dataclass(frozen=True)
class FrameworkResult:
    """A row of the tables of `fastdigits compare --against`.

    Attributes
    ----------
    model, framework, version : str
    accuracies : list of float
        Test accuracy of each run; empty if all runs failed.
    train_s : list of float
        Seconds of the training steps of each run.
    epochs : int
    learning_rate : float
        The one that the schedule multiplies by its factors.
    weights, biases : int
        Number of trained values; the factors and offsets of batch normalization count as weights and biases.
    device : str
        "cpu" or "cuda".
    """

    model: str
    framework: str
    version: str
    accuracies: list[float]
    train_s: list[float]
    epochs: int
    learning_rate: float
    weights: int
    biases: int
    device: str

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON types."""
        return {
            "model": self.model,
            "framework": self.framework,
            "version": self.version,
            "runs": len(self.accuracies),
            "test_accuracy": summarize(self.accuracies),
            "train_seconds": summarize(self.train_s),
            "epochs": self.epochs,
            "learning_rate": self.learning_rate,
            "weights": self.weights,
            "biases": self.biases,
            "device": self.device,
        }


def result_of(
    model: str,
    network: Network,
    framework: tuple[str, str],
    config: TrainConfig,
    runs: list[tuple[float, float]],
    device: str,
) -> FrameworkResult:
    """Return the row of a network.

    Parameters
    ----------
    model : str
    network : Network
    framework : (name, version)
    config : TrainConfig
        Of any of the runs.
    runs : list of (test accuracy, seconds)
    device : str
    """
    biases = sum(one.size for one in network.parameters().values() if one.name in BIASES)
    return FrameworkResult(
        model=model,
        framework=framework[0],
        version=framework[1],
        accuracies=[accuracy for accuracy, _ in runs],
        train_s=[seconds for _, seconds in runs],
        epochs=config.epochs,
        learning_rate=lr_of(config),
        weights=network.parameter_count - biases,
        biases=biases,
        device=device,
    )
