"""Names of the layers, activations, poolings and initializers. Importing this module does not import the layers."""

import importlib
from reprlib import repr as shown
from typing import TYPE_CHECKING, Any

from fastdigits.errors import UserError

if TYPE_CHECKING:
    from fastdigits.nn.layers import Layer

# Activation layers by their names in command-line options
ACTIVATIONS = {
    "relu": "ReLU",
    "leaky-relu": "LeakyReLU",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "gelu": "GELU",
    "silu": "SiLU",
}
POOLINGS = {"max": "MaxPool2D", "average": "AvgPool2D"}
INITIALIZERS = ("he", "glorot", "normal", "uniform")  # see initializers.initial_value

# The module of fastdigits.nn that defines each layer
LAYERS = {
    "Conv2D": "layers",
    "Dense": "layers",
    "MaxPool2D": "pooling",
    "AvgPool2D": "pooling",
    "GlobalAvgPool2D": "pooling",
    "Flatten": "layers",
    "BatchNorm": "normalisation",
    "LocalResponseNorm": "normalisation",
    "Dropout": "dropout",
    "Residual": "residual",
    **dict.fromkeys(ACTIVATIONS.values(), "layers"),
}


def layer_class(name: str) -> type[Any]:
    """Return the class of a layer.

    Raises
    ------
    UserError
        If there is no such layer.
    """
    if name not in LAYERS:
        raise UserError(f"There is no layer {shown(name)}; choose one of {', '.join(LAYERS)}.")
    return getattr(importlib.import_module(f"fastdigits.nn.{LAYERS[name]}"), name)


def layer_from_config(config: dict[str, Any]) -> "Layer":
    """Create a layer from the result of `Layer.config`.

    Raises
    ------
    UserError
        If there is no such layer.
    KeyError, TypeError, ValueError
        If the fields do not match those of the layer.
    """
    fields = dict(config)
    name = fields.pop("type")
    if name == "Residual":
        fields["layers"] = [layer_from_config(layer) for layer in fields["layers"]]
    return layer_class(name)(**fields)
