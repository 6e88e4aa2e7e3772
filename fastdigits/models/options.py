"""Options of networks: activations and widths."""

from fastdigits.errors import UserError
from fastdigits.nn.layers import Layer
from fastdigits.nn.registry import ACTIVATIONS, layer_class

MAX_WIDTH = 8.0


def activation_layer(name: str) -> Layer:
    """Make an activation layer; raise UserError if there is none of that name."""
    if name not in ACTIVATIONS:
        raise UserError(f"There is no activation '{name}'; choose one of {', '.join(ACTIVATIONS)}.")
    return layer_class(ACTIVATIONS[name])()


def scaled(channels: int, width: float) -> int:
    """Multiply a number of channels by a width, to at least one; raise UserError if the width is out of range."""
    if not 0 < width <= MAX_WIDTH:
        raise UserError(f"A width lies above 0 and is {MAX_WIDTH:g} at most, not {width:g}.")
    return max(1, round(channels * width))
