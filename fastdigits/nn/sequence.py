"""Chains of layers or steps, in a network or in a nested layer: names, shapes, parameters, forward and backward."""

from collections import Counter
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any, Literal, Protocol

from fastdigits.errors import UserError
from fastdigits.nn.layers import Layer, Shape, TrainingStep
from fastdigits.nn.parameter import Parameter
from fastdigits.ops.interface import Array, Ops

# Far beyond any network for digits: a damaged weights file must not ask for terabytes.
MAX_OUTPUTS, MAX_PARAMETERS = 2**24, 2**28  # of one layer, of all layers
MAX_LAYERS, MAX_DEPTH = 1000, 20  # nested layers included; of blocks within blocks


class Step(Protocol):
    """One step of the chain that a network runs: a layer, or a fused step that computes several layers at once."""

    @property
    def parts(self) -> Sequence[Layer]:
        """The layers that the step computes, in order."""

    @property
    def parameters(self) -> Sequence[Parameter]:
        """The parameters whose gradients `backward` fills."""

    def allocate(self, ops: Ops, blocks: int, training: bool) -> None:
        """See Layer.allocate."""

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        """See Layer.forward."""

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        """See Layer.backward."""

    def multiply_adds(self) -> int:
        """See Layer.multiply_adds."""


def layer_names(layers: Sequence[Layer]) -> list[str]:
    """Name each layer by its type and its number among the layers of that type, such as "dense_2"."""
    seen: Counter[str] = Counter()
    names = []
    for layer in layers:
        kind = type(layer).__name__.lower()
        seen[kind] += 1
        names.append(f"{kind}_{seen[kind]}")
    return names


def connect(layers: Sequence[Layer], shape: Shape) -> Shape:
    """Connect the layers and return the last output shape; raise UserError if a layer does not fit, with its name."""
    parameters = 0
    for name, layer in zip(layer_names(layers), layers, strict=True):
        try:
            shape = layer.connect(shape)
        except UserError as error:
            raise UserError(f"Layer {name}: {error}") from None
        parameters += sum(parameter.size for parameter in layer.parameters)
        if prod(shape) > MAX_OUTPUTS or parameters > MAX_PARAMETERS:
            raise UserError(
                f"Layer {name}: is too large; a layer may have {MAX_OUTPUTS:,} outputs, and a network "
                f"{MAX_PARAMETERS:,} parameters."
            )
    return shape


def check_count(layers: Sequence[Any]) -> None:
    """Raise UserError if there are too many layers, or layers nested too deeply.

    Parameters
    ----------
    layers : sequence of Layer, or of the configurations of layers
    """
    level, count, depth = list(layers), 0, 0
    while level:
        count, depth = count + len(level), depth + 1
        if count > MAX_LAYERS or depth > MAX_DEPTH:
            raise UserError(
                f"The network has more than {MAX_LAYERS:,} layers, or layers nested more than {MAX_DEPTH} deep; "
                "make it smaller."
            )
        level = [nested for layer in level for nested in _nested(layer)]


def _nested(layer: Any) -> Sequence[Any]:
    layers = layer.get("layers") if isinstance(layer, dict) else getattr(layer, "layers", None)
    return layers if isinstance(layers, list | tuple) else ()


def walk(layers: Sequence[Layer]) -> list[Layer]:
    """Return all layers, including nested ones."""
    return [layer for _, layer in walk_named(layer_names(layers), layers)]


def walk_named(names: Sequence[str], layers: Sequence[Layer]) -> Iterator[tuple[str, Layer]]:
    """Yield all layers with their qualified names; nested layers come before the layer that they are in."""
    for name, layer in zip(names, layers, strict=True):
        for child_name, child in walk_named(*layer.children()):
            yield f"{name}.{child_name}", child
        yield name, layer


def named_parameters(
    names: Sequence[str], layers: Sequence[Layer], kind: Literal["parameters", "running"]
) -> dict[str, Parameter]:
    """Collect all parameters by qualified name, such as "dense_1/weight" and "residual_1/conv2d_1.weight"."""
    return {
        parameter_name(name, parameter): parameter
        for name, layer in walk_named(names, layers)
        if not layer.children()[1]  # else its parameters are those of its children
        for parameter in getattr(layer, kind)
    }


def parameter_name(layer_name: str, parameter: Parameter) -> str:
    """Qualify the name of a parameter by that of its layer; a slash follows the outermost layer."""
    return f"{layer_name}.{parameter.name}".replace(".", "/", 1)


def first_trainable(steps: Sequence[Step]) -> int:
    """Return the index of the first step that has parameters which are not frozen."""
    trainable = (number for number, step in enumerate(steps) if not all(one.frozen for one in step.parameters))
    return next(trainable, len(steps))


def forward(steps: Sequence[Step], x: Array, training: TrainingStep | None = None) -> Array:
    """Run all steps; return the output of the last one."""
    for step in steps:
        x = step.forward(x, training)
    return x


def backward(steps: Sequence[Step], gradient: Array, input_gradient: bool) -> Array:
    """Fill the gradients of all parameters; return the gradient of the input if `input_gradient` is set."""
    first = -1 if input_gradient else first_trainable(steps)
    for number in range(len(steps) - 1, max(first, 0) - 1, -1):
        gradient = steps[number].backward(gradient, input_gradient=number > first)
    return gradient
