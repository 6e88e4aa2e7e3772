"""Networks: layers, their parameters, and the chain that joins them. Nothing here knows a device."""

from fastdigits.nn.layers import (
    LAYERS,
    AvgPool2D,
    Conv2D,
    Dense,
    Flatten,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Sigmoid,
    Tanh,
)
from fastdigits.nn.network import Network

__all__ = [
    "LAYERS",
    "AvgPool2D",
    "Conv2D",
    "Dense",
    "Flatten",
    "LeakyReLU",
    "MaxPool2D",
    "Network",
    "ReLU",
    "Sigmoid",
    "Tanh",
]
