"""Names of the layers, activations, poolings and initializers. Importing this module does not import the layers."""

import importlib
from reprlib import repr as shown
from typing import TYPE_CHECKING, Any

from fastdigits.errors import UnknownObject, UserError

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
INITIALIZERS = ("he", "glorot", "normal", "uniform", "zeros")  # see initializers.initial_value

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


# Layers from outside of the package, see `register`
CUSTOM_LAYERS: dict[str, type[Any]] = {}


def register(layer: type[Any], name: str | None = None) -> None:
    """Register a layer from outside of the package under a name, by default that of its class.

    Raises
    ------
    UserError
        If the package has a layer of this name.
    """
    name = name or layer.__name__
    if name in LAYERS:
        raise UserError(f"There is a layer {name} in fastdigits already; give your class another name.")
    CUSTOM_LAYERS[name] = layer


def is_built_in(layer: Any) -> bool:
    """Return whether a layer is of a class of this package, not of one derived from it."""
    name = type(layer).__name__
    return name in LAYERS and type(layer).__module__ == f"fastdigits.nn.{LAYERS[name]}"


def layer_class(name: str) -> type[Any]:
    """Return the class of a layer.

    Raises
    ------
    UserError
        If there is no such layer.
    """
    if name in CUSTOM_LAYERS:
        return CUSTOM_LAYERS[name]
    if name not in LAYERS:
        raise (
            UnknownObject("layer", name) if str(name).isidentifier() else UserError(f"There is no layer {shown(name)}.")
        )
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
