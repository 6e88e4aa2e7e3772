"""Networks of dense layers alone."""

from fastdigits.models.activations import activation_layer
from fastdigits.nn.layers import Dense, Flatten, Layer


def linear(classes: int, init: str = "glorot") -> list[Layer]:
    """Multinomial logistic regression: one weight for each pixel and class."""
    return [Flatten(), Dense(classes, init)]


def mlp(classes: int, hidden: tuple[int, ...] = (128, 128), activation: str = "relu", init: str = "he") -> list[Layer]:
    """A multilayer perceptron with two hidden layers of 128 units."""
    layers: list[Layer] = [Flatten()]
    for units in hidden:
        layers += [Dense(units, init), activation_layer(activation)]
    return [*layers, Dense(classes, init)]
