"""Networks with random weights for tests of exports, and their scores."""

from dataclasses import asdict

import numpy as np
import zoo

from fastdigits import ops
from fastdigits.bench.networks import pack_images
from fastdigits.config.training import TrainConfig
from fastdigits.data.preprocessing import UNPREPARED, Normalisation, Preparation
from fastdigits.nn import AvgPool2D, BatchNorm, Conv2D, Dense, GlobalAvgPool2D, Network, ReLU, Residual
from fastdigits.storage.weights import SavedNetwork

NETWORKS = {
    "every layer": zoo.EVERY_LAYER,
    "averaged": [Conv2D(4, 3), BatchNorm(), AvgPool2D((3, 2), 2), GlobalAvgPool2D(), Dense(10)],
    "projected": [Residual([Conv2D(4, 3, 2, padding=1), BatchNorm()], projection=True), ReLU(), *zoo.EVERY_LAYER[-8:]],
    **zoo.CHAINS,
}
PREPARATIONS = [
    Preparation(),
    Preparation(pad=2, invert=True),
    Preparation(contrast=2.0, gamma=0.7),
    Preparation(pad=1, contrast=1.5, binarize=0.3),
]


def random_weights(network, seed=3):
    """Random weights and statistics by our names; variances are positive."""
    random = np.random.default_rng(seed)
    values = {name: random.standard_normal(one.shape, np.float32) / 3 for name, one in network.state().items()}
    return {name: np.abs(value) if name.endswith("var") else value for name, value in values.items()}


def scores_of(network, weights, images):
    """The scores (N, classes) on the reference device, without fusion."""
    reference, built = ops.load("reference"), Network(network.layers, network.input_shape)
    built.build(reference, len(images), training=False, fused=False)
    built.set_weights(weights)
    scores = np.empty((len(images), network.classes), np.float32)
    reference.unpack(built.forward(pack_images(reference, images)), scores)
    return scores


def saved_of(network, weights, preparation=UNPREPARED):
    """A trained network with these weights."""
    normalisation = Normalisation(0.2, 0.4, preparation)
    config = asdict(TrainConfig())
    return SavedNetwork(network.config(), weights, normalisation, "some network", "digits", config, [], {"seen": 1})
