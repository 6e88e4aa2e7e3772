"""Sizes and options of the built-in networks."""

import pytest

from fastdigits.errors import UserError
from fastdigits.models import ModelOptions, layers_of
from fastdigits.nn import Dropout, Network


@pytest.mark.parametrize(
    ("model", "parameters", "multiply_adds"),
    [("linear", 7_850, 7_840), ("mlp", 118_282, 118_016), ("lenet", 61_706, 416_520), ("cnn", 108_874, 794_880)],
)
def test_parameters_and_multiply_adds_of_a_model(model, parameters, multiply_adds):
    network = Network(layers_of(model))
    assert network.parameter_count == parameters
    assert sum(layer.multiply_adds() for layer in network.layers) == multiply_adds
    assert network.classes == 10


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("nothing", None, "linear, neuron, dnn, mlp, feedforward"),
        ("lenet", ModelOptions(hidden=(10,)), "--hidden"),
        ("linear", ModelOptions(activation="tanh"), "--activation"),
        ("mlp", ModelOptions(activation="cube"), "relu, leaky-relu, sigmoid, tanh, gelu, silu"),
        ("lenet", ModelOptions(pool="min"), "max, average"),
        ("cnn", ModelOptions(pool="max"), "--pool"),
        ("cnn", ModelOptions(width=1.0), "--width"),
        ("linear", ModelOptions(dropout=0.2), "--dropout"),
        ("resnet", ModelOptions(width=0.0), "width must be above 0"),
        ("alexnet", ModelOptions(width=float("nan")), "width must be above 0"),
    ],
)
def test_invalid_options_raise_a_user_error(model, options, message):
    with pytest.raises(UserError, match=message):
        layers_of(model, options)


def test_options_change_the_layers():
    network = Network(layers_of("mlp", ModelOptions(hidden=(30, 20), activation="tanh", init="glorot"), classes=7))
    assert network.names == ["flatten_1", "dense_1", "tanh_1", "dense_2", "tanh_2", "dense_3"]
    assert [layer.units for layer in network.layers[1::2]] == [30, 20, 7]
    assert {layer.initializer for layer in network.layers[1::2]} == {"glorot"}


@pytest.mark.parametrize(("model", "places"), [("mlp", 2), ("cnn", 1), ("lenet", 2), ("alexnet", 2), ("best", 2)])
def test_dropout_can_be_chosen(model, places):
    def rates(dropout):
        layers = layers_of(model, ModelOptions(dropout=dropout))
        return [layer.rate for layer in layers if isinstance(layer, Dropout)]

    assert rates(0.25) == [0.25] * places
    assert rates(0.0) == []
    assert rates(None) == {"alexnet": [0.5] * 2, "best": [0.3] * 2}.get(model, [])


@pytest.mark.parametrize(("model", "limit"), [("tiny-8k", 8_000), ("tiny-20k", 20_000), ("resnet", 200_000)])
def test_parameter_counts_stay_within_their_limit(model, limit):
    assert 0.75 * limit / 2 < Network(layers_of(model)).parameter_count < limit


def test_width_scales_channels():
    half, whole = (Network(layers_of("resnet", ModelOptions(width=width))) for width in (0.5, 1.0))
    assert [layer.output_shape[0] * 2 for layer in half.layers[:-1]] == [
        layer.output_shape[0] for layer in whole.layers[:-1]
    ]
