"""Apply options of networks: activations, dropout and widths."""

from fastdigits.errors import UserError
from fastdigits.nn.dropout import Dropout
from fastdigits.nn.layers import Layer
from fastdigits.nn.registry import ACTIVATIONS, layer_class

MAX_WIDTH = 8.0


def activation_layer(name: str) -> Layer:
    """Make the activation layer of this name; raise UserError if there is none."""
    if name not in ACTIVATIONS:
        raise UserError(f"There is no activation '{name}'; choose one of {', '.join(ACTIVATIONS)}.")
    return layer_class(ACTIVATIONS[name])()


def dropout_layers(rate: float) -> list[Layer]:
    """Make a dropout layer, or none if the rate is 0."""
    return [] if rate == 0 else [Dropout(rate)]


def scaled(channels: int, width: float) -> int:
    """Multiply a number of channels by a width, and return at least 1; raise UserError if the width is out of range."""
    if not 0 < width <= MAX_WIDTH:
        raise UserError(f"The width must be above 0 and at most {MAX_WIDTH:g}, not {width:g}.")
    return max(1, round(channels * width))
