"""Networks with batch normalization: the most accurate ones for their size."""

from fastdigits.models.options import dropout_layers, scaled
from fastdigits.nn.layers import Conv2D, Dense, Flatten, Layer, ReLU
from fastdigits.nn.normalisation import BatchNorm
from fastdigits.nn.pooling import GlobalAvgPool2D, MaxPool2D
from fastdigits.nn.residual import Residual


def tiny_8k(classes: int, init: str = "he") -> list[Layer]:
    """Under 8,000 parameters: five convolutions with batch normalization and global average pooling."""
    return _tiny((8, 12, 16, 16, 16), classes, init)


def tiny_20k(classes: int, init: str = "he") -> list[Layer]:
    """Under 20,000 parameters: five convolutions with batch normalization and global average pooling."""
    return _tiny((16, 16, 24, 24, 32), classes, init)


def best(classes: int, init: str = "he", dropout: float = 0.3) -> list[Layer]:
    """The most accurate: four convolutions of 24 and 48 channels, 128 units, batch normalization and dropout."""
    return [
        *_pooled(Conv2D(24, 5, initializer=init)),
        *_activated(Conv2D(48, 3, padding=1, initializer=init)),
        *_activated(Conv2D(48, 3, padding=1, initializer=init)),
        *_pooled(Conv2D(48, 3, initializer=init)),
        Flatten(),
        *dropout_layers(dropout),
        *_activated(Dense(128, init)),
        *dropout_layers(dropout),
        Dense(classes, init),
    ]


def resnet(classes: int, init: str = "he", width: float = 1.0) -> list[Layer]:
    """A small residual network (He et al. 2016): blocks of 16, 32 and 64 channels, multiplied by the width."""
    first, second, third = (scaled(channels, width) for channels in (16, 32, 64))
    return [
        *_convolution(first, init),
        *_block(first, init),
        *_block(second, init, stride=2),
        *_block(third, init, stride=2),
        GlobalAvgPool2D(),
        Dense(classes, init),
    ]


def _tiny(channels: tuple[int, int, int, int, int], classes: int, init: str) -> list[Layer]:
    """Make two convolutions at full resolution, two at half and one at a quarter of it."""
    a, b, c, d, e = channels
    return [
        *_convolution(a, init),
        *_convolution(b, init),
        MaxPool2D(2),
        *_convolution(c, init),
        *_convolution(d, init),
        MaxPool2D(2),
        *_convolution(e, init),
        GlobalAvgPool2D(),
        Dense(classes, init),
    ]


def _activated(layer: Conv2D | Dense) -> list[Layer]:
    return [layer, ReLU(), BatchNorm()]


def _pooled(convolution: Conv2D) -> list[Layer]:
    """Normalize after pooling: only a quarter of the activations is left, and the layers before can be fused."""
    return [convolution, ReLU(), MaxPool2D(2), BatchNorm()]


def _convolution(channels: int, init: str, stride: int = 1, padding: str | int = 1) -> list[Layer]:
    return [Conv2D(channels, 3, stride, padding, init), BatchNorm(), ReLU()]


def _block(channels: int, init: str, stride: int = 1) -> list[Layer]:
    """Make a residual block of two convolutions, and its ReLU."""
    first, second = Conv2D(channels, 3, stride, 1, init), Conv2D(channels, 3, 1, 1, init)
    return [Residual([first, BatchNorm(), ReLU(), second, BatchNorm()], projection=stride > 1), ReLU()]
