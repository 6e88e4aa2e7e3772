"""Weights and shapes of the filters of a network."""

import numpy as np

from fastdigits import ops
from fastdigits.inspection.filters import filter_weights
from fastdigits.models import network_of
from fastdigits.nn import Conv2D, Dense, Flatten, GlobalAvgPool2D, MaxPool2D, Network, Residual


def initialized(network):
    """Return the network and its initial weights."""
    network.build(ops.load("reference"), 1)
    network.initialise(0)
    return network, network.weights()


def test_filters_of_convolutions_and_nested_convolutions():
    network, weights = initialized(
        Network([Conv2D(2, (2, 3)), Residual([Conv2D(2, 3, 1, 1)]), GlobalAvgPool2D(), Dense(3)], (1, 6, 7))
    )
    filters = filter_weights(network, weights)
    assert list(filters) == ["conv2d_1", "residual_1.conv2d_1"]
    assert filters["conv2d_1"].shape == (2, 1, 2, 3)
    np.testing.assert_array_equal(filters["residual_1.conv2d_1"], weights["residual_1/conv2d_1.weight"])


def test_filters_of_dense_layers_on_pixels():
    network, weights = initialized(network_of("mlp"))
    filters = filter_weights(network, weights)
    assert list(filters) == ["dense_1"]
    assert filters["dense_1"].shape == (128, 1, 28, 28)
    np.testing.assert_array_equal(filters["dense_1"][5, 0, 3], weights["dense_1/weight"][5, 3 * 28 : 4 * 28])
    network, weights = initialized(Network([MaxPool2D(2), Flatten(), Dense(3)], (1, 6, 8)))
    assert filter_weights(network, weights)["dense_1"].shape == (3, 1, 3, 4)


def test_a_network_without_filters():
    assert filter_weights(*initialized(Network([GlobalAvgPool2D(), Dense(3)], (1, 6, 6)))) == {}
