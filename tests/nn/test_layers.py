import json

import pytest
from zoo import EVERY_LAYER

from fastdigits.errors import UserError
from fastdigits.models import MODELS, ModelOptions, layers_of
from fastdigits.nn import (
    GELU,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    LeakyReLU,
    LocalResponseNorm,
    MaxPool2D,
    Network,
    ReLU,
    Residual,
    Sigmoid,
    SiLU,
    Tanh,
)

IMAGE, FLAT = (1, 28, 28), (784,)


@pytest.mark.parametrize(
    ("layer", "input_shape", "output_shape"),
    [
        (Conv2D(6, 5), (1, 28, 28), (6, 24, 24)),
        (Conv2D(6, 5, padding=2), (1, 28, 28), (6, 28, 28)),
        (Conv2D(6, 5, padding="full"), (1, 28, 28), (6, 32, 32)),
        (Conv2D(6, 4, padding="same"), (3, 28, 27), (6, 28, 27)),
        (Conv2D(6, 5, stride=3), (1, 28, 28), (6, 8, 8)),
        (Conv2D(6, 5, stride=2, padding="same"), (1, 28, 27), (6, 14, 14)),
        (Conv2D(6, (3, 5)), (1, 28, 28), (6, 26, 24)),
        (Conv2D(6, 28), (1, 28, 28), (6, 1, 1)),
        (MaxPool2D(2), (16, 24, 24), (16, 12, 12)),
        (MaxPool2D(3), (16, 28, 28), (16, 9, 9)),
        (MaxPool2D(3, stride=2), (16, 28, 28), (16, 13, 13)),
        (AvgPool2D((2, 4)), (16, 28, 28), (16, 14, 13)),  # as far apart as a window has rows
        (AvgPool2D(2, stride=1), (16, 28, 28), (16, 27, 27)),
        (GlobalAvgPool2D(), (16, 5, 7), (16,)),
        (BatchNorm(), (6, 24, 24), (6, 24, 24)),
        (BatchNorm(), (84,), (84,)),
        (LocalResponseNorm(), (6, 24, 24), (6, 24, 24)),
        (Dropout(), (6, 24, 24), (6, 24, 24)),
        (Dropout(), (84,), (84,)),
        (Residual([Dense(20), Tanh(), Dense(84)]), (84,), (84,)),
        (Residual([Conv2D(6, 3, padding=1)]), (6, 24, 24), (6, 24, 24)),
        (Residual([]), (6, 24, 24), (6, 24, 24)),
        (Residual([Conv2D(8, 3, 2, 1)], projection=True), (6, 25, 24), (8, 13, 12)),
        (Residual([Conv2D(8, 3, padding=1)], projection=True), (6, 25, 24), (8, 25, 24)),
        (Flatten(), (16, 5, 5), (400,)),
        (Flatten(), (400,), (400,)),
        (Dense(10), (400,), (10,)),
        (ReLU(), (6, 24, 24), (6, 24, 24)),
        (LeakyReLU(0.1), (6, 24, 24), (6, 24, 24)),
        (Sigmoid(), (84,), (84,)),
        (Tanh(), (84,), (84,)),
        (GELU(), (84,), (84,)),
        (SiLU(), (6, 24, 24), (6, 24, 24)),
    ],
    ids=str,
)
def test_output_shape(layer, input_shape, output_shape):
    assert layer.connect(input_shape) == output_shape


@pytest.mark.parametrize(
    ("layer", "input_shape", "shapes", "multiply_adds"),
    [
        (Conv2D(6, 5, padding=2), (1, 28, 28), [(6, 1, 5, 5), (6,)], 117_600),
        (Conv2D(16, (3, 5)), (6, 14, 14), [(16, 6, 3, 5), (16,)], 172_800),
        (Dense(120), (400,), [(120, 400), (120,)], 48_000),
        (MaxPool2D(2), (6, 28, 28), [], 0),
        (BatchNorm(), (6, 28, 28), [(6,), (6,)], 0),
        (BatchNorm(), (84,), [(84,), (84,)], 0),
        (Residual([Conv2D(8, 3, 2, 1)], True), (6, 4, 4), [(8, 6, 3, 3), (8,), (8, 6, 1, 1), (8,)], 4 * 8 * 6 * 10),
        (GlobalAvgPool2D(), (6, 28, 28), [], 0),
        (LocalResponseNorm(), (6, 28, 28), [], 0),
        (Dropout(), (84,), [], 0),
        (Flatten(), (6, 28, 28), [], 0),
        (Tanh(), (84,), [], 0),
    ],
    ids=str,
)
def test_parameters_of_a_layer(layer, input_shape, shapes, multiply_adds):
    layer.connect(input_shape)
    assert [parameter.shape for parameter in layer.parameters] == shapes
    assert layer.multiply_adds() == multiply_adds


@pytest.mark.parametrize(
    ("model", "parameters", "multiply_adds"),
    [("linear", 7_850, 7_840), ("mlp", 118_282, 118_016), ("lenet", 61_706, 416_520), ("cnn", 108_874, 794_880)],
)
def test_parameters_of_a_model(model, parameters, multiply_adds):
    network = Network(layers_of(model))
    assert network.parameter_count == parameters
    assert sum(layer.multiply_adds() for layer in network.layers) == multiply_adds
    assert network.classes == 10


NO_COUNT = (0, -1, 1.5, "2", None, True)
NO_SHARE = (0, 1, -0.1, float("nan"), "0.1", None, True)
NO_PAIR = (0, -1, 1.5, "3", None, True, (3,), (3, 0), (3, 1.5), (1, 2, 3))


@pytest.mark.parametrize(
    ("layer", "input_shape", "says"),
    [
        *((Conv2D(filters, 3), IMAGE, "filters") for filters in NO_COUNT),
        *((Conv2D(6, kernel), IMAGE, "kernel") for kernel in NO_PAIR),
        *((Conv2D(6, 3, stride=stride), IMAGE, "stride") for stride in NO_COUNT),
        *((Conv2D(6, 3, padding=padding), IMAGE, "padding") for padding in ("none", -(10**9), 1.5, None, True, [1, 1])),
        *((Conv2D(6, 3, initializer=name), IMAGE, "initializer") for name in ("zeros", None, ["he"])),
        (Conv2D(6, 29), IMAGE, "29 x 29 does not fit an input of 28 x 28"),
        (Conv2D(6, (1, 29)), IMAGE, "1 x 29 does not fit"),
        (Conv2D(6, 3), FLAT, "needs channels, rows and columns"),
        *((Dense(units), FLAT, "units") for units in NO_COUNT),
        *((Dense(10, name), FLAT, "initializer") for name in ("zeros", None, ["he"])),
        (Dense(10), IMAGE, "put Flatten before it"),
        *((pool(window), IMAGE, "window") for pool in (MaxPool2D, AvgPool2D) for window in NO_PAIR),
        *((pool(2, stride), IMAGE, "stride") for pool in (MaxPool2D, AvgPool2D) for stride in (0, -1, 1.5, "2", True)),
        (MaxPool2D(29), IMAGE, "29 x 29 does not fit an input of 28 x 28"),
        (AvgPool2D((1, 29)), IMAGE, "1 x 29 does not fit"),
        (MaxPool2D(2), FLAT, "needs channels, rows and columns"),
        (AvgPool2D(2), FLAT, "needs channels, rows and columns"),
        (GlobalAvgPool2D(), FLAT, "needs channels, rows and columns"),
        *((BatchNorm(momentum=share), IMAGE, "momentum") for share in NO_SHARE),
        *((BatchNorm(epsilon=share), FLAT, "epsilon") for share in NO_SHARE),
        *((Dropout(rate), IMAGE, "rate") for rate in NO_SHARE),
        *((LocalResponseNorm(size), IMAGE, "size") for size in (*NO_COUNT, 2, 4)),
        *((LocalResponseNorm(alpha=alpha), IMAGE, "alpha") for alpha in (0, -1, 1e9, float("nan"), "1", None)),
        *((LocalResponseNorm(k=k), IMAGE, "k must") for k in (0, -1, True)),
        (LocalResponseNorm(), FLAT, "needs channels, rows and columns"),
        *((Residual(layers), IMAGE, "layers must be a list") for layers in (None, 5, ReLU(), ["ReLU"])),
        (Residual([ReLU()], projection="yes"), IMAGE, "projection must be true or false"),
        (Residual([Conv2D(1, 3)]), IMAGE, "make 1 x 26 x 26 of 1 x 28 x 28, which cannot be added"),
        (Residual([Conv2D(1, 3)], projection=True), IMAGE, "no stride of a projection makes 1 x 26 x 26"),
        (Residual([Dense(3)], projection=True), FLAT, "no stride of a projection makes 3 of 784"),
        *((LeakyReLU(slope), IMAGE, "slope") for slope in (0, 1, -0.1, float("nan"), "0.1", None, True)),
    ],
    ids=str,
)
def test_wrong_arguments_are_user_errors_that_name_the_layer(layer, input_shape, says):
    with pytest.raises(UserError) as raised:
        layer.connect(input_shape)
    assert str(raised.value).startswith(f"{type(layer).__name__}: ")
    assert says in str(raised.value)


def test_the_network_says_which_of_its_layers_is_wrong():
    with pytest.raises(UserError, match=r"^Layer dense_2: Dense: units"):
        Network([Flatten(), Dense(10), Dense(0)])


def test_the_network_says_where_within_a_layer_it_is_wrong():
    with pytest.raises(UserError, match=r"^Layer residual_1: Layer conv2d_2: Conv2D: filters"):
        Network([Residual([Conv2D(1, 1), Conv2D(0, 1)])])


@pytest.mark.parametrize("layers", [[], [Conv2D(10, 3)], [ReLU()]], ids=str)
def test_a_network_must_end_with_scores(layers):
    with pytest.raises(UserError):
        Network(layers)


def test_names_are_unique_and_count_each_kind_by_itself():
    network = Network(layers_of("lenet"))
    assert network.names[:4] == ["conv2d_1", "relu_1", "avgpool2d_1", "conv2d_2"]
    assert len(set(network.names)) == len(network.names)
    assert list(network.parameters())[:3] == ["conv2d_1/weight", "conv2d_1/bias", "conv2d_2/weight"]
    assert len(network.parameters()) == 10


def test_names_within_a_layer():
    """A layer's parameters have its name, and then theirs in it; the network's lists have each once."""
    inner = [Conv2D(1, 3, padding=1), BatchNorm(), Residual([BatchNorm(), Conv2D(1, 1)])]
    network = Network([BatchNorm(), Residual(inner, projection=True), Flatten(), Dense(10)])
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


@pytest.mark.parametrize("layers", [*map(layers_of, MODELS), EVERY_LAYER], ids=[*MODELS, "every layer"])
def test_a_network_comes_back_from_json(layers):
    network = Network(layers)
    stored = json.dumps(network.config())
    again = Network.from_config(json.loads(stored))
    assert json.dumps(again.config()) == stored
    assert again.names == network.names
    assert again.classes == network.classes
    assert [layer.output_shape for layer in again.layers] == [layer.output_shape for layer in network.layers]
    assert {name: p.shape for name, p in again.parameters().items()} == {
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
def test_damaged_layers_are_a_user_error(layers):
    with pytest.raises(UserError):
        Network.from_config({"input_shape": [1, 28, 28], "layers": layers})


def test_layers_within_layers_without_end_are_a_user_error():
    layer = {"type": "ReLU"}
    for _ in range(5000):
        layer = {"type": "Residual", "layers": [layer]}
    with pytest.raises(UserError, match="damaged"):
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
def test_a_damaged_input_shape_is_a_user_error(input_shape, first):
    layers = [*first, {"type": "Flatten"}, {"type": "Dense", "units": 10}]
    with pytest.raises(UserError):
        Network.from_config({"input_shape": input_shape, "layers": layers})


@pytest.mark.parametrize("config", [[], {}, {"layers": [{"type": "Flatten"}]}, {"input_shape": [784]}], ids=str)
def test_half_a_description_is_a_user_error(config):
    with pytest.raises(UserError):
        Network.from_config(config)


@pytest.mark.parametrize(
    ("model", "options", "says"),
    [
        ("nothing", None, "linear, neuron, dnn, mlp, feedforward"),
        ("lenet", ModelOptions(hidden=(10,)), "--hidden"),
        ("linear", ModelOptions(activation="tanh"), "--activation"),
        ("mlp", ModelOptions(activation="cube"), "relu, leaky-relu, sigmoid, tanh, gelu, silu"),
        ("lenet", ModelOptions(pool="min"), "max, average"),
        ("cnn", ModelOptions(pool="max"), "--pool"),
        ("cnn", ModelOptions(width=1.0), "--width"),
        ("resnet", ModelOptions(width=0.0), "width lies above 0"),
        ("alexnet", ModelOptions(width=float("nan")), "width lies above 0"),
    ],
)
def test_options_that_a_model_does_not_have(model, options, says):
    with pytest.raises(UserError, match=says):
        layers_of(model, options)


def test_options_of_a_model():
    network = Network(layers_of("mlp", ModelOptions(hidden=(30, 20), activation="tanh", init="glorot"), classes=7))
    assert network.names == ["flatten_1", "dense_1", "tanh_1", "dense_2", "tanh_2", "dense_3"]
    assert [layer.units for layer in network.layers[1::2]] == [30, 20, 7]
    assert {layer.initializer for layer in network.layers[1::2]} == {"glorot"}


@pytest.mark.parametrize(("model", "most"), [("tiny-8k", 8_000), ("tiny-20k", 20_000), ("resnet", 200_000)])
def test_a_network_is_as_small_as_it_says(model, most):
    assert 0.75 * most / 2 < Network(layers_of(model)).parameter_count < most


def test_width_scales_channels():
    half, whole = (Network(layers_of("resnet", ModelOptions(width=width))) for width in (0.5, 1.0))
    assert [layer.output_shape[0] * 2 for layer in half.layers[:-1]] == [
        layer.output_shape[0] for layer in whole.layers[:-1]
    ]
