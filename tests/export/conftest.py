"""Fixtures: networks with random weights, and their scores."""

import numpy as np
import pytest
from exported import NETWORKS, random_weights, saved_of, scores_of

from fastdigits.nn import Network


@pytest.fixture(params=NETWORKS)
def network(request):
    return Network(NETWORKS[request.param])


@pytest.fixture
def weights(network):
    return random_weights(network)


@pytest.fixture
def saved(network, weights):
    return saved_of(network, weights)


@pytest.fixture
def images(network):
    return np.random.default_rng(4).standard_normal((5, *network.input_shape), np.float32)


@pytest.fixture
def scores(network, weights, images):
    return scores_of(network, weights, images)
