"""Fine-tune a trained network on a few corrected images in a second.

Only the layers behind the last convolution or pooling are trained. The features that they get are therefore computed
once for each image. Each batch holds corrected images, changed at random, next to a replay of images that the network
was trained on, so that it does not forget them. The learning rate grows until images that were held out of its training
are lost.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from fastdigits.config.recipes import AUGMENT
from fastdigits.config.training import TrainConfig
from fastdigits.data.augmentation import parse_effects
from fastdigits.data.batches import Batches
from fastdigits.errors import UserError
from fastdigits.nn import BatchNorm, Flatten
from fastdigits.nn.class_names import DIGITS, decides_on_digits
from fastdigits.nn.layers import TrainingStep
from fastdigits.nn.network import Network
from fastdigits.ops.array import blocks
from fastdigits.ops.batch import NO_EFFECTS
from fastdigits.ops.interface import Array, Ops
from fastdigits.storage.weights import SavedNetwork
from fastdigits.training.loop import split
from fastdigits.training.optimizer import Optimizer

REPLAYED, HELD_OUT = 3072, 5000  # images of the training set
BATCH_SIZE = 128
CORRECTED = 32  # images of a batch
TRIALS, STEPS_PER_TRIAL = 10, 4  # the network is judged after each trial
GROWTH = 2.0  # of the learning rate from one trial to the next
VARIANTS = 16  # random changes of each corrected image
MAX_LOST = 1  # held-out images that the network may lose
HOPELESS = 20  # lost images after which no further trial helps
SEED = 0
CONFIG = TrainConfig(batch_size=BATCH_SIZE, optimizer="momentum", lr=0.0001, weight_decay=0.0, schedule="constant")

Examples = tuple[np.ndarray, np.ndarray]  # features float32 (N, D) and labels uint8 (N,)


@dataclass(frozen=True, order=True)
class Judgement:
    """How many of the corrected and of the held-out images a network recognizes."""

    corrected: int
    held_out: int


@dataclass(frozen=True, eq=False)
class FineTuned:
    """The result of `FineTuner.tune`.

    Attributes
    ----------
    weights : dict of float32 arrays
        Network.weights() of the whole network.
    images, held_out_images : int
        Number of corrected and of held-out images.
    before, after : Judgement
    """

    weights: dict[str, np.ndarray]
    images: int
    held_out_images: int
    before: Judgement
    after: Judgement


class FineTuner:
    """Fine-tuner of a network, with the features of the replayed and the held-out images.

    Parameters
    ----------
    saved : SavedNetwork
        Each call of `tune` starts from its weights.
    images : uint8 (N, H, W)
        The images that it was trained on.
    labels : uint8 (N,)
    ops : Ops

    Raises
    ------
    UserError
        If the classes are not the digits, no layer follows the last convolution or pooling, or the images do not fit.
    """

    def __init__(self, saved: SavedNetwork, images: np.ndarray, labels: np.ndarray, ops: Ops):
        if not decides_on_digits(saved.class_names):
            raise UserError("The network recognizes other classes than the ten digits.")
        settings = TrainConfig(**saved.config)
        self.saved, self.ops, self.effects = saved, ops, parse_effects(settings.augment or AUGMENT)
        network = Network.from_config(saved.network)
        network.check_images(images, labels, saved.normalisation.preparation.pad)
        self._depth = _depth_of_features(network)
        self._body = Network(network.layers[: self._depth], network.input_shape)
        self._body.build(ops, BATCH_SIZE, training=False)
        self._body.set_weights(saved.weights)
        rows, held_out = split(labels, replace(settings, validation=settings.validation or None))
        rows, held_out = _evenly_spaced(rows, REPLAYED), _evenly_spaced(held_out, HELD_OUT)
        self._replay: Examples = self._features(images[rows]), labels[rows]
        self._held_out = self._packed(self._features(images[held_out])), labels[held_out]

    def tune(self, images: np.ndarray, labels: np.ndarray) -> FineTuned:
        """Fine-tune on corrected images uint8 (N, H, W) with labels uint8 (N,). The same images give the same bits.

        Among the network before and those after each trial, choose the one that recognizes most corrected images of
        those that lose at most MAX_LOST of the held-out ones.
        """
        corrected, variants = (self._packed(self._features(images)), labels), self._variants(images, labels)
        head = _Head(self.saved, self._depth, self.ops)
        before = best = self._judge(head, corrected)
        weights = head.weights()
        batches = self._batches(variants)
        for trial in range(TRIALS):
            for _ in range(STEPS_PER_TRIAL):
                head.step(*next(batches), lr_factor=GROWTH**trial)
            found = self._judge(head, corrected)
            if found > best and found.held_out >= before.held_out - MAX_LOST:
                best, weights = found, head.weights()
            if best.corrected == len(labels) or found.held_out < before.held_out - HOPELESS:
                break
        return FineTuned(self.saved.weights | weights, len(labels), len(self._held_out[1]), before, best)

    def _judge(self, head: "_Head", corrected: tuple[list[Array], np.ndarray]) -> Judgement:
        return Judgement(*(int((head.digits(x)[: len(y)] == y).sum()) for x, y in (corrected, self._held_out)))

    def _variants(self, images: np.ndarray, labels: np.ndarray) -> Examples:
        features = [self._features(images, variant) for variant in range(1, VARIANTS + 1)]
        return np.concatenate(features), np.tile(labels, VARIANTS)

    def _batches(self, variants: Examples) -> Iterator[Examples]:
        generator = np.random.default_rng(SEED)
        while True:
            new = generator.integers(len(variants[1]), size=CORRECTED)
            old = generator.integers(len(self._replay[1]), size=BATCH_SIZE - CORRECTED)
            x, y = (np.concatenate([a[new], b[old]]) for a, b in zip(variants, self._replay, strict=True))
            yield x, y

    def _packed(self, features: np.ndarray) -> list[Array]:
        return [
            _packed(self.ops, features[first : first + BATCH_SIZE]) for first in range(0, len(features), BATCH_SIZE)
        ]

    def _features(self, images: np.ndarray, variant: int = 0) -> np.ndarray:
        """Return the features float32 (N, D) of images, or of a random variant of each of them if it is above 0."""
        effects = self.effects if variant else NO_EFFECTS
        batches = Batches(self.ops, images, None, BATCH_SIZE, self.saved.normalisation, effects, SEED)
        order = self.ops.upload(np.arange(len(images), dtype=np.int32))
        batches.seek(0, variant)
        parts = batches.parts(order, len(images), training=True)
        found = [_by_image(self.ops.download(self._body.forward(x)))[:count] for x, _, count in parts]
        return np.concatenate(found)


class _Head:
    """The layers of a network that get features, built for training."""

    def __init__(self, saved: SavedNetwork, depth: int, ops: Ops):
        whole = Network.from_config(saved.network)
        features = whole.layers[depth - 1].output_shape[0]
        self.ops, self.network = ops, Network([Flatten(), *whole.layers[depth:]], (features, 1, 1))
        self._names = dict(zip(self.network.names[1:], whole.names[depth:], strict=True))
        layers = zip(self.network.names, self.network.layers, strict=True)
        self.network.freeze(name for name, layer in layers if isinstance(layer, BatchNorm))
        self.network.build(ops, BATCH_SIZE)
        self.network.set_weights({name: saved.weights[self._in_whole(name)] for name in self.network.state()})
        self._optimizer = Optimizer(ops, CONFIG, self.network.buffer)
        self._dscores = ops.empty(self.network.scores.shape)
        self._losses = ops.empty((len(self._dscores), ops.lanes))

    def weights(self) -> dict[str, np.ndarray]:
        """Return the weights by their names in the whole network."""
        return {self._in_whole(name): values for name, values in self.network.weights().items()}

    def step(self, features: np.ndarray, labels: np.ndarray, lr_factor: float) -> None:
        """Train on BATCH_SIZE examples at a learning rate of lr * lr_factor."""
        self._optimizer.start_step(lr_factor)
        scores = self.network.forward(
            _packed(self.ops, features), TrainingStep(BATCH_SIZE, self._optimizer.count, SEED)
        )
        targets = self.ops.upload(labels.astype(np.float32).reshape(-1, self.ops.lanes))
        self.ops.softmax_cross_entropy(scores, targets, BATCH_SIZE, 0.0, self._losses, self._dscores)
        self.network.backward(self._dscores)
        self._optimizer.update()

    def digits(self, batches: list[Array]) -> np.ndarray:
        """Return the most probable digit for each lane of batches of features."""
        scores = [_by_image(self.ops.download(self.network.forward(x))) for x in batches]
        return np.concatenate(scores)[:, :DIGITS].argmax(1)

    def _in_whole(self, name: str) -> str:
        layer, _, rest = name.partition("/")
        return f"{self._names[layer]}/{rest}"


def _depth_of_features(network: Network) -> int:
    """Return the number of layers up to the first one that gives a vector."""
    depth = next(number for number, layer in enumerate(network.layers, 1) if len(layer.output_shape) == 1)
    if not any(layer.parameters and not isinstance(layer, BatchNorm) for layer in network.layers[depth:]):
        raise UserError("The network has no layer behind its last convolution or pooling that could learn.")
    return depth


def _packed(ops: Ops, features: np.ndarray) -> Array:
    """Upload at most BATCH_SIZE rows of features as an array (B, D, 1, 1, L), the last ones filled with zeros."""
    rows = np.zeros((blocks(BATCH_SIZE, ops.lanes) * ops.lanes, features.shape[1]), np.float32)
    rows[: len(features)] = features
    x = rows.reshape(-1, ops.lanes, features.shape[1], 1, 1)
    return ops.upload(np.ascontiguousarray(np.moveaxis(x, 1, -1)))


def _by_image(values: np.ndarray) -> np.ndarray:
    """Return values (B, D, L) as (B L, D)."""
    return np.moveaxis(values, -1, 1).reshape(-1, values.shape[1])


def _evenly_spaced(rows: np.ndarray, count: int) -> np.ndarray:
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)]
