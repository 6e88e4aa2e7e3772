"""Networks: layers, their parameters, and the chain that joins them. Nothing here knows a device."""

from fastdigits.nn.dropout import Dropout
from fastdigits.nn.layers import Conv2D, Dense, Flatten, LeakyReLU, ReLU, Sigmoid, Tanh
from fastdigits.nn.network import Network
from fastdigits.nn.normalisation import BatchNorm, LocalResponseNorm
from fastdigits.nn.pooling import AvgPool2D, GlobalAvgPool2D, MaxPool2D
from fastdigits.nn.registry import LAYERS
from fastdigits.nn.residual import Residual

__all__ = [
    "LAYERS",
    "AvgPool2D",
    "BatchNorm",
    "Conv2D",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAvgPool2D",
    "LeakyReLU",
    "LocalResponseNorm",
    "MaxPool2D",
    "Network",
    "ReLU",
    "Residual",
    "Sigmoid",
    "Tanh",
]
