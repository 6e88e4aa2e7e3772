"""Networks with random weights, and their scores."""

import numpy as np
import pytest
import zoo

from fastdigits import ops
from fastdigits.bench.networks import pack_images
from fastdigits.nn import AvgPool2D, BatchNorm, Conv2D, Dense, GlobalAvgPool2D, Network, ReLU, Residual

NETWORKS = {
    "every layer": zoo.EVERY_LAYER,
    "averaged": [Conv2D(4, 3), BatchNorm(), AvgPool2D((3, 2), 2), GlobalAvgPool2D(), Dense(10)],
    "projected": [Residual([Conv2D(4, 3, 2, padding=1), BatchNorm()], projection=True), ReLU(), *zoo.EVERY_LAYER[-8:]],
    **zoo.CHAINS,
}


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


@pytest.fixture(params=NETWORKS)
def network(request):
    return Network(NETWORKS[request.param])


@pytest.fixture
def weights(network):
    return random_weights(network)


@pytest.fixture
def images(network):
    return np.random.default_rng(4).standard_normal((5, *network.input_shape), np.float32)


@pytest.fixture
def scores(network, weights, images):
    return scores_of(network, weights, images)
