"""Networks that read lines of digits."""

from fastdigits.nn import Conv2D, MaxPool2D, ReLU
from fastdigits.nn.dropout import Dropout
from fastdigits.nn.layers import Layer

SYMBOLS = "0123456789.,-"


def number_reader(outputs: int = len(SYMBOLS) + 1) -> list[Layer]:
    """Return layers that read a line 32 pixels high, a time step for every four columns.

    Each step sees 46 columns: about two digits.
    """
    return [
        Conv2D(24, 3, padding="same"),
        ReLU(),
        MaxPool2D(2),
        Conv2D(48, 3, padding="same"),
        ReLU(),
        Conv2D(48, 3, padding="same"),
        ReLU(),
        MaxPool2D(2),
        Conv2D(64, 3, padding="same"),
        ReLU(),
        Conv2D(64, 3, padding="same"),
        ReLU(),
        Conv2D(128, (8, 3)),
        ReLU(),
        Dropout(0.3),
        Conv2D(96, (1, 3)),
        ReLU(),
        Conv2D(outputs, 1),
    ]
