"""LeNet-5, and networks that build it up step by step."""

from fastdigits.errors import UserError
from fastdigits.models.dense import feedforward
from fastdigits.models.options import activation_layer
from fastdigits.nn.layers import Conv2D, Layer
from fastdigits.nn.pooling import AvgPool2D
from fastdigits.nn.registry import POOLINGS, layer_class


def conv1(classes: int, activation: str = "relu", init: str = "he") -> list[Layer]:
    """One convolution of 6 channels before the dense layers of LeNet-5."""
    return [
        Conv2D(6, 5, initializer=init),
        activation_layer(activation),
        *feedforward(classes, activation, init),
    ]


def conv2(classes: int, activation: str = "relu", init: str = "he") -> list[Layer]:
    """Two convolutions of 6 and 16 channels before the dense layers of LeNet-5, without pooling."""
    return [
        Conv2D(6, 5, initializer=init),
        activation_layer(activation),
        Conv2D(16, 5, initializer=init),
        activation_layer(activation),
        *feedforward(classes, activation, init),
    ]


def conv1_avgpool(classes: int, activation: str = "relu", init: str = "he") -> list[Layer]:
    """One convolution of 6 channels and average pooling before the dense layers of LeNet-5."""
    return [
        Conv2D(6, 5, initializer=init),
        activation_layer(activation),
        AvgPool2D(2),
        *feedforward(classes, activation, init),
    ]


def lenet(
    classes: int, activation: str = "relu", init: str = "he", pool: str = "average", dropout: float = 0.0
) -> list[Layer]:
    """LeNet-5 (LeCun et al. 1998), each filter on all feature maps; its original activation was a scaled tanh."""
    if pool not in POOLINGS:
        raise UserError(f"There is no pooling '{pool}'; choose one of {', '.join(POOLINGS)}.")
    pooling = layer_class(POOLINGS[pool])
    return [
        Conv2D(6, 5, padding=2, initializer=init),
        activation_layer(activation),
        pooling(2),
        Conv2D(16, 5, initializer=init),
        activation_layer(activation),
        pooling(2),
        *feedforward(classes, activation, init, dropout),
    ]
