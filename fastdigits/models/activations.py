"""The activation layers by the name that a user gives."""

from fastdigits.errors import UserError
from fastdigits.nn.layers import Layer, LeakyReLU, ReLU, Sigmoid, Tanh

ACTIVATIONS = {"relu": ReLU, "leaky-relu": LeakyReLU, "sigmoid": Sigmoid, "tanh": Tanh}


def activation_layer(name: str) -> Layer:
    """A new activation layer; UserError if there is none of that name."""
    if name not in ACTIVATIONS:
        raise UserError(f"There is no activation '{name}'; choose one of {', '.join(ACTIVATIONS)}.")
    return ACTIVATIONS[name]()
