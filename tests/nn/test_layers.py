"""Shapes, parameters and fields of single layers."""

import pytest

from fastdigits.errors import UserError
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
        (AvgPool2D((2, 4)), (16, 28, 28), (16, 14, 13)),  # by default the stride is the rows of the window
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
def test_parameters_and_multiply_adds_of_a_layer(layer, input_shape, shapes, multiply_adds):
    layer.connect(input_shape)
    assert [parameter.shape for parameter in layer.parameters] == shapes
    assert layer.multiply_adds() == multiply_adds


INVALID_COUNTS = (0, -1, 1.5, "2", None, True)
INVALID_FRACTIONS = (0, 1, -0.1, float("nan"), "0.1", None, True)
INVALID_PAIRS = (0, -1, 1.5, "3", None, True, (3,), (3, 0), (3, 1.5), (1, 2, 3))


@pytest.mark.parametrize(
    ("layer", "input_shape", "message"),
    [
        *((Conv2D(filters, 3), IMAGE, "filters") for filters in INVALID_COUNTS),
        *((Conv2D(6, kernel), IMAGE, "kernel") for kernel in INVALID_PAIRS),
        *((Conv2D(6, 3, stride=stride), IMAGE, "stride") for stride in INVALID_COUNTS),
        *((Conv2D(6, 3, padding=padding), IMAGE, "padding") for padding in ("none", -(10**9), 1.5, None, True, [1, 1])),
        *((Conv2D(6, 3, initializer=name), IMAGE, "initializer") for name in ("magic", None, ["he"])),
        (Conv2D(6, 29), IMAGE, "29 x 29 does not fit an input of 28 x 28"),
        (Conv2D(6, (1, 29)), IMAGE, "1 x 29 does not fit"),
        (Conv2D(6, 3), FLAT, "needs channels, rows and columns"),
        *((Dense(units), FLAT, "units") for units in INVALID_COUNTS),
        *((Dense(10, name), FLAT, "initializer") for name in ("magic", None, ["he"])),
        (Dense(10), IMAGE, "put Flatten before it"),
        *((pool(window), IMAGE, "window") for pool in (MaxPool2D, AvgPool2D) for window in INVALID_PAIRS),
        *((pool(2, stride), IMAGE, "stride") for pool in (MaxPool2D, AvgPool2D) for stride in (0, -1, 1.5, "2", True)),
        (MaxPool2D(29), IMAGE, "29 x 29 does not fit an input of 28 x 28"),
        (AvgPool2D((1, 29)), IMAGE, "1 x 29 does not fit"),
        (MaxPool2D(2), FLAT, "needs channels, rows and columns"),
        (AvgPool2D(2), FLAT, "needs channels, rows and columns"),
        (GlobalAvgPool2D(), FLAT, "needs channels, rows and columns"),
        *((BatchNorm(momentum=fraction), IMAGE, "momentum") for fraction in INVALID_FRACTIONS),
        *((BatchNorm(epsilon=fraction), FLAT, "epsilon") for fraction in INVALID_FRACTIONS),
        *((Dropout(rate), IMAGE, "rate") for rate in INVALID_FRACTIONS),
        *((LocalResponseNorm(size), IMAGE, "size") for size in (*INVALID_COUNTS, 2, 4)),
        *((LocalResponseNorm(alpha=alpha), IMAGE, "alpha") for alpha in (0, -1, 1e9, float("nan"), "1", None)),
        *((LocalResponseNorm(k=k), IMAGE, "k must") for k in (0, -1, True)),
        (LocalResponseNorm(), FLAT, "needs channels, rows and columns"),
        *((Residual(layers), IMAGE, "layers must be a list") for layers in (None, 5, ReLU(), ["ReLU"])),
        (Residual([ReLU()], projection="yes"), IMAGE, "projection must be true or false"),
        (Residual([Conv2D(1, 3)]), IMAGE, "map 1 x 28 x 28 to 1 x 26 x 26, which cannot be added"),
        (
            Residual([Conv2D(1, 3)], projection=True),
            IMAGE,
            "no stride of the projection maps 1 x 28 x 28 to 1 x 26 x 26",
        ),
        (Residual([Dense(3)], projection=True), FLAT, "no stride of the projection maps 784 to 3"),
        *((LeakyReLU(slope), IMAGE, "slope") for slope in (0, 1, -0.1, float("nan"), "0.1", None, True)),
    ],
    ids=str,
)
def test_invalid_fields_raise_user_errors_that_name_the_layer(layer, input_shape, message):
    with pytest.raises(UserError) as raised:
        layer.connect(input_shape)
    assert str(raised.value).startswith(f"{type(layer).__name__}: ")
    assert message in str(raised.value)
