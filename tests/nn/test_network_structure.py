"""Names, order and errors of the layers in a network."""

import pytest

from fastdigits.errors import UserError
from fastdigits.models import layers_of
from fastdigits.nn import BatchNorm, Conv2D, Dense, Flatten, Network, ReLU, Residual, sequence


def test_errors_name_the_layer():
    with pytest.raises(UserError, match=r"^Layer dense_2: Dense: units"):
        Network([Flatten(), Dense(10), Dense(0)])


def test_errors_name_nested_layers():
    with pytest.raises(UserError, match=r"^Layer residual_1: Layer conv2d_2: Conv2D: filters"):
        Network([Residual([Conv2D(1, 1), Conv2D(0, 1)])])


@pytest.mark.parametrize("layers", [[], [Conv2D(10, 3)], [ReLU()]], ids=str)
def test_a_network_without_scores_is_a_user_error(layers):
    with pytest.raises(UserError):
        Network(layers)


def test_a_network_copies_its_layers():
    relu, dense = ReLU(), Dense(10)
    network = Network([Residual([relu, relu]), relu, Flatten(), dense])
    layers = sequence.walk(network.layers)
    assert len({id(layer) for layer in [relu, dense, *layers]}) == 2 + len(layers)


def test_names_are_unique_and_number_each_type_separately():
    network = Network(layers_of("lenet"))
    assert network.names[:4] == ["conv2d_1", "relu_1", "avgpool2d_1", "conv2d_2"]
    assert len(set(network.names)) == len(network.names)
    assert list(network.parameters())[:3] == ["conv2d_1/weight", "conv2d_1/bias", "conv2d_2/weight"]
    assert len(network.parameters()) == 10


def test_names_of_nested_layers():
    """Each parameter occurs once, qualified by the names of all layers that contain it."""
    block = [Conv2D(1, 3, padding=1), BatchNorm(), Residual([BatchNorm(), Conv2D(1, 1)])]
    network = Network([BatchNorm(), Residual(block, projection=True), Flatten(), Dense(10)])
    assert list(network.parameters()) == [
        "batchnorm_1/gamma",
        "batchnorm_1/beta",
        "residual_1/conv2d_1.weight",
        "residual_1/conv2d_1.bias",
        "residual_1/batchnorm_1.gamma",
        "residual_1/batchnorm_1.beta",
        "residual_1/residual_1.batchnorm_1.gamma",
        "residual_1/residual_1.batchnorm_1.beta",
        "residual_1/residual_1.conv2d_1.weight",
        "residual_1/residual_1.conv2d_1.bias",
        "residual_1/projection.weight",
        "residual_1/projection.bias",
        "dense_1/weight",
        "dense_1/bias",
    ]
    owners = ("batchnorm_1/", "residual_1/batchnorm_1.", "residual_1/residual_1.batchnorm_1.")
    assert list(network.running()) == [f"{owner}running_{what}" for owner in owners for what in ("mean", "var")]
    assert list(network.state()) == [*network.parameters(), *network.running()]
