"""Options of networks: activation layers by name, and widths."""

from fastdigits.errors import UserError
from fastdigits.nn.layers import Layer
from fastdigits.nn.registry import ACTIVATIONS, layer_class

WIDEST = 8.0


def activation_layer(name: str) -> Layer:
    """A new activation layer; UserError if there is none of that name."""
    if name not in ACTIVATIONS:
        raise UserError(f"There is no activation '{name}'; choose one of {', '.join(ACTIVATIONS)}.")
    return layer_class(ACTIVATIONS[name])()


def scaled(channels: int, width: float) -> int:
    """So many channels times the width, at least one; UserError if the width is none."""
    if not 0 < width <= WIDEST:
        raise UserError(f"A width lies above 0 and is {WIDEST:g} at most, not {width:g}.")
    return max(1, round(channels * width))
