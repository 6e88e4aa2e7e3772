"""Networks that read lines of digits."""

from fastdigits.nn import Conv2D, MaxPool2D, ReLU
from fastdigits.nn.dropout import Dropout
from fastdigits.nn.layers import Layer
from fastdigits.nn.normalisation import BatchNorm

SYMBOLS = "0123456789.,-"


def number_reader(outputs: int = len(SYMBOLS) + 1) -> list[Layer]:
    """Return layers that read a line 32 pixels high, a time step for every four columns.

    Each step sees 54 columns, which are about a digit and a half as images are stretched.
    """
    return [
        *_activated(24, 3),
        MaxPool2D(2),
        *_activated(48, 3),
        *_activated(48, 3),
        MaxPool2D(2),
        *_activated(72, 3),
        *_activated(72, 3),
        *_activated(144, (8, 3), padding=0),
        Dropout(0.2),
        *_activated(96, (1, 5), padding=0),
        Conv2D(outputs, 1),
    ]


def _activated(channels: int, kernel: int | tuple[int, int], padding: int | str = "same") -> list[Layer]:
    return [Conv2D(channels, kernel, padding=padding), BatchNorm(), ReLU()]
