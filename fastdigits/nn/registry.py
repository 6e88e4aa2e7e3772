"""Names of layers and of the choices among them. Light to import: a layer's module is imported when it is needed."""

import importlib
from typing import TYPE_CHECKING, Any

from fastdigits.errors import UserError

if TYPE_CHECKING:
    from fastdigits.nn.layers import Layer

# Activation layers by the name that options give them
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

# Every layer with the module of fastdigits.nn that defines it
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
        raise UserError(f"There is no layer '{name}'; choose one of {', '.join(LAYERS)}.")
    return getattr(importlib.import_module(f"fastdigits.nn.{LAYERS[name]}"), name)


def layer_from_config(config: dict[str, Any]) -> "Layer":
    """Make the layer that `Layer.config()` describes.

    Raises
    ------
    UserError
        If there is no such layer.
    KeyError, TypeError, ValueError
        If the layer has other fields.
    """
    fields = dict(config)
    name = fields.pop("type")
    if name == "Residual":
        fields["layers"] = [layer_from_config(layer) for layer in fields["layers"]]
    return layer_class(name)(**fields)
