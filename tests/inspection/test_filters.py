"""Kernels as pictures: which weights, in which shape."""

import numpy as np

from fastdigits import ops
from fastdigits.inspection.filters import filter_weights
from fastdigits.models import network_of
from fastdigits.nn import Conv2D, Dense, Flatten, GlobalAvgPool2D, MaxPool2D, Network, Residual


def built(network):
    network.build(ops.load("reference"), 1)
    network.initialise(0)
    return network, network.weights()


def test_convolutions_also_those_within_blocks():
    network, values = built(
        Network([Conv2D(2, (2, 3)), Residual([Conv2D(2, 3, 1, 1)]), GlobalAvgPool2D(), Dense(3)], (1, 6, 7))
    )
    kernels = filter_weights(network, values)
    assert list(kernels) == ["conv2d_1", "residual_1.conv2d_1"]
    assert kernels["conv2d_1"].shape == (2, 1, 2, 3)
    np.testing.assert_array_equal(kernels["residual_1.conv2d_1"], values["residual_1/conv2d_1.weight"])


def test_weights_of_pixels_are_pictures():
    network, values = built(network_of("mlp"))
    kernels = filter_weights(network, values)
    assert list(kernels) == ["dense_1"]
    assert kernels["dense_1"].shape == (128, 1, 28, 28)
    np.testing.assert_array_equal(kernels["dense_1"][5, 0, 3], values["dense_1/weight"][5, 3 * 28 : 4 * 28])
    network, values = built(Network([MaxPool2D(2), Flatten(), Dense(3)], (1, 6, 8)))
    assert filter_weights(network, values)["dense_1"].shape == (3, 1, 3, 4)


def test_a_network_may_have_none():
    assert filter_weights(*built(Network([GlobalAvgPool2D(), Dense(3)], (1, 6, 6)))) == {}
