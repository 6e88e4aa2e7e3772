"""Networks of dense layers."""

from fastdigits.models.options import activation_layer, dropout_layers
from fastdigits.nn.layers import Dense, Flatten, Layer


def linear(classes: int, init: str = "glorot") -> list[Layer]:
    """Multinomial logistic regression: one weight per pixel and class."""
    return [Flatten(), Dense(classes, init)]


def neuron(classes: int, activation: str = "relu", init: str = "glorot") -> list[Layer]:
    """A single hidden neuron: a bottleneck of one number."""
    return mlp(classes, (1,), activation, init)  # the larger weights of "he" can leave the neuron inactive for good


def dnn(classes: int, activation: str = "relu", init: str = "he", dropout: float = 0.0) -> list[Layer]:
    """A small deep network: two hidden layers of 32 units."""
    return mlp(classes, (32, 32), activation, init, dropout)


def feedforward(classes: int, activation: str = "relu", init: str = "he", dropout: float = 0.0) -> list[Layer]:
    """The dense layers of LeNet-5: 120 and 84 units."""
    return mlp(classes, (120, 84), activation, init, dropout)


def mlp(
    classes: int,
    hidden: tuple[int, ...] = (128, 128),
    activation: str = "relu",
    init: str = "he",
    dropout: float = 0.0,
) -> list[Layer]:
    """A multilayer perceptron with two hidden layers of 128 units."""
    layers: list[Layer] = [Flatten()]
    for units in hidden:
        layers += [Dense(units, init), activation_layer(activation), *dropout_layers(dropout)]
    return [*layers, Dense(classes, init)]
