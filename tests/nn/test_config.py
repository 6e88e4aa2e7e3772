"""The description of a network in JSON."""

import json

import pytest
from zoo import EVERY_LAYER

from fastdigits.errors import UserError
from fastdigits.models import MODELS, layers_of
from fastdigits.nn import (
    Network,
)


@pytest.mark.parametrize("layers", [*map(layers_of, MODELS), EVERY_LAYER], ids=[*MODELS, "every layer"])
def test_a_network_survives_a_round_trip_through_json(layers):
    network = Network(layers)
    stored = json.dumps(network.config())
    restored = Network.from_config(json.loads(stored))
    assert json.dumps(restored.config()) == stored
    assert restored.names == network.names
    assert restored.classes == network.classes
    assert [layer.output_shape for layer in restored.layers] == [layer.output_shape for layer in network.layers]
    assert {name: p.shape for name, p in restored.parameters().items()} == {
        name: p.shape for name, p in network.parameters().items()
    }


@pytest.mark.parametrize(
    "layers",
    [
        None,
        5,
        "Dense",
        [],
        {"Dense": 10},
        [5],
        [{}],
        [{"type": "Nothing"}],
        [{"type": ["Dense"]}],
        [{"type": "Flatten"}, {"type": "Dense"}],
        [{"type": "Flatten"}, {"type": "Dense", "units": {}}],
        [{"type": "Flatten"}, {"type": "Dense", "units": 10, "initializer": {}}],
        [{"type": "Flatten"}, {"type": "Dense", "units": 10, "colour": "red"}],
        [{"type": "Dense", "units": 10}],
        [{"type": "ReLU"}],
        [{"type": "Residual"}],
        [{"type": "Residual", "layers": 5}],
        [{"type": "Residual", "layers": [5]}],
        [{"type": "Residual", "layers": [{"type": "Nothing"}]}],
        [{"type": "Flatten"}, {"type": "Residual", "layers": [{"type": "Dense", "units": 10}]}],
    ],
    ids=str,
)
def test_damaged_layers_raise_a_user_error(layers):
    with pytest.raises(UserError):
        Network.from_config({"input_shape": [1, 28, 28], "layers": layers})


def test_layers_nested_too_deeply_raise_a_user_error():
    layer = {"type": "ReLU"}
    for _ in range(5000):
        layer = {"type": "Residual", "layers": [layer]}
    with pytest.raises(UserError, match="nested more than 20 deep"):
        Network.from_config({"input_shape": [1, 28, 28], "layers": [layer, {"type": "Flatten"}]})


@pytest.mark.parametrize("first", [[], [{"type": "Conv2D", "filters": 2, "kernel": 1}]], ids=["dense", "convolution"])
@pytest.mark.parametrize(
    "input_shape",
    [
        None,
        28,
        [],
        [28, 28],
        [1, 28, 28, 1],
        ["a", 28, 28],
        [[1], 28, 28],
        [float("inf"), 28, 28],
        [0, 28, 28],
        [1, -28, 28],
    ],
    ids=str,
)
def test_a_damaged_input_shape_raises_a_user_error(input_shape, first):
    layers = [*first, {"type": "Flatten"}, {"type": "Dense", "units": 10}]
    with pytest.raises(UserError):
        Network.from_config({"input_shape": input_shape, "layers": layers})


@pytest.mark.parametrize("config", [[], {}, {"layers": [{"type": "Flatten"}]}, {"input_shape": [784]}], ids=str)
def test_an_incomplete_description_raises_a_user_error(config):
    with pytest.raises(UserError):
        Network.from_config(config)
