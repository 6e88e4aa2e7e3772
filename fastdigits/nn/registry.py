"""The layers by name, and how a description becomes one."""

from fastdigits.errors import UserError
from fastdigits.nn.dropout import Dropout
from fastdigits.nn.layers import Conv2D, Dense, Flatten, Layer, LeakyReLU, ReLU, Sigmoid, Tanh
from fastdigits.nn.normalisation import BatchNorm, LocalResponseNorm
from fastdigits.nn.pooling import AvgPool2D, GlobalAvgPool2D, MaxPool2D
from fastdigits.nn.residual import Residual

LAYERS: dict[str, type[Layer]] = {
    layer.__name__: layer
    for layer in (
        Conv2D,
        Dense,
        MaxPool2D,
        AvgPool2D,
        GlobalAvgPool2D,
        Flatten,
        BatchNorm,
        LocalResponseNorm,
        Dropout,
        Residual,
        ReLU,
        LeakyReLU,
        Sigmoid,
        Tanh,
    )
}


def layer_from_config(description: dict) -> Layer:
    """The layer that `Layer.config()` describes.

    Raises
    ------
    UserError
        If there is no such layer.
    KeyError, TypeError, ValueError
        If it has other fields.
    """
    fields = dict(description)
    kind = fields.pop("type")
    if kind not in LAYERS:
        raise UserError(f"There is no layer '{kind}'; there are {', '.join(LAYERS)}.")
    if LAYERS[kind] is Residual:
        fields["layers"] = [layer_from_config(layer) for layer in fields["layers"]]
    return LAYERS[kind](**fields)
