"""A whole run: train a network, measure it once on the test images, and say all that is known of it."""

from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np

from fastdigits.config import TrainConfig
from fastdigits.dataset import DigitSet
from fastdigits.dataset.batches import Batches
from fastdigits.evaluate import Evaluation, evaluate
from fastdigits.nn import Network
from fastdigits.train import Training, Watcher, train
from fastdigits.weights import SavedNetwork


@dataclass(frozen=True)
class Run:
    """A network that has been trained and tested."""

    model: str
    dataset: str
    network: Network
    config: TrainConfig
    training: Training
    test: Evaluation
    test_s: float

    def saved(self) -> SavedNetwork:
        """What goes into the weights file."""
        return SavedNetwork(
            network=self.network.config(),
            values=self.network.values(),
            normalisation=self.training.normalisation,
            model=self.model,
            dataset=self.dataset,
            config=asdict(self.config),
            history=[epoch.figures() for epoch in self.training.epochs],
            metrics={"test_images": self.test.images, "test_accuracy": self.test.accuracy, "test_loss": self.test.loss},
        )

    def summary(self, load_s: float, total_s: float, output: str) -> dict[str, Any]:
        """All figures as plain JSON types; the seconds of loading and of the whole come from the caller."""
        return {
            "model": self.model,
            "device": self.network.ops.device,
            "dataset": self.dataset,
            "seed": self.config.seed,
            "parameters": self.network.parameter_count,
            "batch_size": self.config.batch_size,
            "epochs": [asdict(epoch) for epoch in self.training.epochs],
            "test": {
                "images": self.test.images,
                "correct": self.test.correct,
                "accuracy": self.test.accuracy,
                "interval_95": list(self.test.interval_95),
                "loss": self.test.loss,
            },
            "seconds": {"load": load_s, **self.training.seconds, "test": self.test_s, "total": total_s},
            "images_per_second": self.training.images_per_second,
            "output": output,
        }


def run(model: str, network: Network, digits: DigitSet, ops: Any, config: TrainConfig, watcher: Watcher) -> Run:
    """Train a network, then evaluate it once on the test images.

    Raises
    ------
    UserError
        If the configuration does not fit the images, or the loss stops being finite.
    """
    training = train(network, digits.train_images, digits.train_labels, ops, config, watcher)
    start = perf_counter()
    batches = Batches(ops, digits.test_images, digits.test_labels, config.batch_size, training.normalisation)
    test = evaluate(network, batches, np.arange(len(digits.test_labels)), config.loss)
    return Run(model, digits.name, network, config, training, test, perf_counter() - start)
