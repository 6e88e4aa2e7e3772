"""AlexNet, the network that started the rise of deep convolutional networks."""

from fastdigits.models.options import dropout_layers, scaled
from fastdigits.nn.layers import Conv2D, Dense, Flatten, Layer, ReLU
from fastdigits.nn.normalisation import LocalResponseNorm
from fastdigits.nn.pooling import MaxPool2D


def alexnet(classes: int, init: str = "he", width: float = 0.25, dropout: float = 0.5) -> list[Layer]:
    """AlexNet (Krizhevsky et al. 2012) for small images, with its channels and units multiplied by the width."""
    a, b, c, d, e, units = (scaled(channels, width) for channels in (96, 256, 384, 384, 256, 4096))
    return [
        Conv2D(a, 5, padding=2, initializer=init),
        ReLU(),
        LocalResponseNorm(),
        MaxPool2D(3, 2),
        Conv2D(b, 5, padding=2, initializer=init),
        ReLU(),
        LocalResponseNorm(),
        MaxPool2D(3, 2),
        Conv2D(c, 3, padding=1, initializer=init),
        ReLU(),
        Conv2D(d, 3, padding=1, initializer=init),
        ReLU(),
        Conv2D(e, 3, padding=1, initializer=init),
        ReLU(),
        MaxPool2D(3, 2),
        Flatten(),
        *dropout_layers(dropout),
        Dense(units, init),
        ReLU(),
        *dropout_layers(dropout),
        Dense(units, init),
        ReLU(),
        Dense(classes, init),
    ]
