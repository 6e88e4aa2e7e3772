"""Layers one after the other: their names, their shapes and their gradients, in a network and within a layer."""

from collections import Counter
from collections.abc import Iterator
from math import prod

from fastdigits.errors import UserError
from fastdigits.nn.layers import Layer, Shape, TrainingStep
from fastdigits.ops.interface import Array

# Far beyond any network for digits; a damaged weights file must not ask for terabytes.
MAX_OUTPUTS, MAX_PARAMETERS = 2**24, 2**28


def names_of(layers: list[Layer]) -> list[str]:
    """A name for each layer: its kind and which of that kind it is, such as "dense_2"."""
    seen: Counter[str] = Counter()
    names = []
    for layer in layers:
        kind = type(layer).__name__.lower()
        seen[kind] += 1
        names.append(f"{kind}_{seen[kind]}")
    return names


def connect(layers: list[Layer], shape: Shape) -> Shape:
    """Give each layer the shape of its input and return that of the last output; UserError names the layer at fault."""
    for name, layer in zip(names_of(layers), layers, strict=True):
        try:
            shape = layer.connect(shape)
        except UserError as error:
            raise UserError(f"Layer {name}: {error}") from None
        if prod(shape) > MAX_OUTPUTS or sum(parameter.size for parameter in layer.parameters) > MAX_PARAMETERS:
            raise UserError(f"Layer {name}: is too large for this program.")
    return shape


def first_learning(steps: list[Layer]) -> int:
    """The number of the first step that has parameters."""
    return next((number for number, step in enumerate(steps) if step.parameters), len(steps))


def forward(steps: list[Layer], x: Array, training: TrainingStep | None = None) -> Array:
    """The output of the last step."""
    for step in steps:
        x = step.forward(x, training)
    return x


def backward(steps: list[Layer], gradient: Array, input_gradient: bool) -> Array:
    """Fill the gradients of all parameters; return that of the input where it is wanted."""
    first = -1 if input_gradient else first_learning(steps)
    for number in range(len(steps) - 1, max(first, 0) - 1, -1):
        gradient = steps[number].backward(gradient, input_gradient=number > first)
    return gradient


def walk(layers: list[Layer]) -> list[Layer]:
    """All layers, also those within layers."""
    return [layer for _, layer in with_inner(names_of(layers), layers)]


def with_inner(names: list[str], layers: list[Layer]) -> Iterator[tuple[str, Layer]]:
    """All layers with their names, also those within layers, which come before the layer that they are in."""
    for name, layer in zip(names, layers, strict=True):
        for inner_name, inner in with_inner(*layer.children()):
            yield f"{name}.{inner_name}", inner
        yield name, layer
