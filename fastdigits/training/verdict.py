"""The verdict on a trained network: whether its predictions are better than chance, and if not, what happened."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastdigits.data.batches import Batches
from fastdigits.errors import setting, worded
from fastdigits.inference.evaluate import Confusion, confusion_matrix, forward_all
from fastdigits.nn import Network, ReLU, sequence
from fastdigits.nn.class_names import default_names, label_of
from fastdigits.ops import load

MAX_IMAGES = 2000  # to judge a network on
DIAGNOSED_IMAGES = 100  # to find dead units on
DEVIATIONS = 3.0  # of the number of correct predictions from its expectation under chance
MAJORITY = 0.9  # smallest share of a class that may well be the answer to every image
DEAD_SHARE = 0.1  # smallest share of dead units in a layer to report


@dataclass(frozen=True, eq=False)
class Verdict(Confusion):
    """The predictions of a trained network on a sample of its images.

    Attributes
    ----------
    classes : tuple of str
        Names of the classes.
    kind : str
        Kind of the images, such as "validation images".
    dead_units : dict
        (dead, all) units of each layer with ReLU of which at least DEAD_SHARE are 0 for every image; only if the
        network is at chance.
    """

    classes: tuple[str, ...] = default_names(10)
    kind: str = "images"
    dead_units: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def most_frequent(self) -> tuple[int, int]:
        """The most frequent class, and its number of images."""
        counts = self.confusion.sum(1)
        return int(counts.argmax()), int(counts.max())

    @property
    def only_prediction(self) -> int | None:
        """The class that is predicted for every image; None if there are several."""
        predicted = np.flatnonzero(self.confusion.sum(0))
        return int(predicted[0]) if len(predicted) == 1 else None

    @property
    def above_chance(self) -> bool:
        """Whether the network has learned something.

        Its predictions must be right more often than the most frequent class is, and by DEVIATIONS standard deviations
        more often than the same predictions in random order. If all predictions are right, neither is needed.
        """
        if self.correct == self.images:
            return True
        mean, deviation = matches_by_chance(self.confusion.sum(1), self.confusion.sum(0))
        return self.correct > max(self.most_frequent[1], mean + DEVIATIONS * deviation)

    @property
    def follows_majority(self) -> bool:
        """Whether the network always answers the one class that almost all images have, so that nothing has failed."""
        frequent, count = self.most_frequent
        return self.only_prediction == frequent and count >= MAJORITY * self.images and not self.above_chance

    @property
    def result(self) -> str:
        """One of "above chance", "majority" and "chance"."""
        return "above chance" if self.above_chance else "majority" if self.follows_majority else "chance"

    @property
    def message(self) -> str:
        """Describe what happened and what may help; "" if the network is above chance."""
        if self.above_chance:
            return ""
        frequent, count = self.most_frequent
        if self.follows_majority:
            return (
                f"The network answers {self.classes[frequent]} for every image, and {count / self.images:.1%} of "
                f"{self.images:,} {self.kind} are of this class. {self._advice()}"
            )
        sentences = [
            f"The network is no better than chance: {self.accuracy:.1%} of {self.images:,} {self.kind} "
            f"are right, and always answering {self.classes[frequent]} gives {count / self.images:.1%}."
        ]
        if self.only_prediction is not None:
            sentences.append(f"It answers {self.classes[self.only_prediction]} for every image.")
        if self.dead_units:
            shares = (f"{dead} of {units} in {name}" for name, (dead, units) in self.dead_units.items())
            sentences.append(f"Units that are 0 for every image: {', '.join(shares)}.")
        return " ".join([*sentences, self._advice()])

    def _advice(self) -> str:
        if 2 * self.most_frequent[1] > self.images:
            balanced = setting("class_weight", "balanced")
            return f"Train with {balanced}, for more {setting('epochs')}, or on more images of the other classes."
        seeds = worded("other seeds with --restart-dead", "another seed")
        if self.dead_units or self.only_prediction is not None:
            return f"Lower {setting('lr')}, or try {seeds}."
        return f"Try another {setting('lr')}, more {setting('epochs')}, or {seeds}."

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON types."""
        return {
            "result": self.result,
            "images": self.images,
            "accuracy": self.accuracy,
            "most_frequent_share": self.most_frequent[1] / self.images,
            "only_prediction": None if self.only_prediction is None else label_of(self.classes, self.only_prediction),
            "dead_units": {name: list(counts) for name, counts in self.dead_units.items()},
            "message": self.message,
        }


def matches_by_chance(true: np.ndarray, predicted: np.ndarray) -> tuple[float, float]:
    """Return mean and standard deviation of the number of correct predictions if their order is random.

    Parameters
    ----------
    true, predicted : int (classes,)
        Number of images of each class, and number of predictions of each class.

    References
    ----------
    Hoeffding (1951), A combinatorial central limit theorem, equations 3 to 5.
    """
    count = true.sum()
    mean = float(true @ predicted / count)
    if count < 2:
        return mean, 0.0
    # [k, l]: of one image predicted as k and one of class l, beyond the means of both
    excess = np.eye(len(true)) - (true[:, None] + predicted) / count + mean / count
    return mean, float(np.sqrt(predicted @ excess**2 @ true / (count - 1)))


def judge(
    network: Network,
    batches: Batches,
    images: np.ndarray,
    labels: np.ndarray,
    train_rows: np.ndarray,
    validation_rows: np.ndarray,
) -> Verdict:
    """Judge a trained network on validation images; if they are few, on training images too.

    Parameters
    ----------
    network : Network
        Built on the device of the batches.
    batches : Batches
        All images.
    images : uint8 (N, H, W)
    labels : uint8 (N,)
    train_rows, validation_rows : int32 (n,)
        Indices of the images to train on and to validate on.
    """
    rows = _spread(validation_rows, MAX_IMAGES)
    kind = "validation images" if len(rows) == MAX_IMAGES else "images"
    rows = np.concatenate([rows, _spread(train_rows, MAX_IMAGES - len(rows))])
    found = forward_all(network, batches, rows)
    predicted = found.host_scores.argmax(1).reshape(-1)[found.host_targets.reshape(-1) >= 0]
    verdict = Verdict(confusion_matrix(labels[rows], predicted, network.classes), network.class_names, kind)
    if verdict.result != "chance":
        return verdict
    return Verdict(
        verdict.confusion, verdict.classes, kind, dead_units(network, images[_spread(rows, DIAGNOSED_IMAGES)], batches)
    )


def dead_units(network: Network, images: np.ndarray, batches: Batches) -> dict[str, tuple[int, int]]:
    """Count the units of each ReLU that are 0 for all images, as (dead, all); a unit of a convolution is a channel.

    Only layers of which at least DEAD_SHARE are dead are included.
    """
    unfused = Network.from_config(network.config())
    ops = load("reference")  # compiles nothing
    unfused.build(ops, len(images), fused=False)
    unfused.set_weights(network.weights())
    [(x, _, _)] = Batches(ops, images, None, len(images), batches.normalisation).over(np.arange(len(images)))
    unfused.forward(x)
    counts = {}
    for name, layer in sequence.walk_named(unfused.names, unfused.layers):
        if isinstance(layer, ReLU):
            alive = layer.y.reshape(*layer.y.shape[:2], -1).any(axis=(0, 2))
            dead = int((~alive).sum())
            if dead >= DEAD_SHARE * len(alive):
                counts[name] = dead, len(alive)
    return counts


def _spread(rows: np.ndarray, count: int) -> np.ndarray:
    """Return `count` of the rows, evenly spaced; all of them if there are fewer."""
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]
