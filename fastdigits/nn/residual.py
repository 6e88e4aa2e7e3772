"""Residual blocks: layers that learn what to add to their input."""

from copy import copy
from dataclasses import dataclass

from fastdigits.errors import UserError
from fastdigits.nn import sequence
from fastdigits.nn.layers import Conv2D, Layer, Shape, TrainingStep, times, vectors
from fastdigits.ops.interface import Array, Ops


@dataclass(eq=False)
class Residual(Layer):
    """The sum of its input and what `layers` make of it.

    With `projection` the input goes through a convolution by single pixels first, which gives it the channels and,
    by its stride, the rows and columns of what it is added to.

    He et al. (2016), Deep residual learning for image recognition.
    """

    layers: list[Layer]
    projection: bool = False

    def shape_of_output(self, input_shape: Shape) -> Shape:
        if not isinstance(self.layers, list | tuple) or not all(isinstance(layer, Layer) for layer in self.layers):
            raise UserError("Residual: layers must be a list of layers.")
        if not isinstance(self.projection, bool):
            raise UserError(f"Residual: projection must be true or false, not {self.projection!r}.")
        self.layers = [copy(layer) for layer in self.layers]  # each block has its buffers
        shape = sequence.connect(self.layers, input_shape)
        self.skip = _projection(input_shape, shape) if self.projection else None
        if not self.skip and shape != input_shape:
            raise UserError(
                f"Residual: its layers make {times(shape)} of {times(input_shape)}, which cannot be added; "
                "let it project its input, or use other layers."
            )
        for name, layer in zip(*self.children(), strict=True):
            for parameter in [*layer.parameters, *layer.running]:
                parameter.name = f"{name}.{parameter.name}"
        self.parameters = [parameter for layer in self.children()[1] for parameter in layer.parameters]
        self.running = [parameter for layer in self.children()[1] for parameter in layer.running]
        return shape

    def children(self) -> tuple[list[str], list[Layer]]:
        skip = [self.skip] if self.skip else []
        return [*sequence.names_of(self.layers), *(["projection"] if skip else [])], [*self.layers, *skip]

    def allocate(self, ops: Ops, blocks: int, training: bool) -> None:
        super().allocate(ops, blocks, training)
        self.dsum = ops.empty(self.y.shape) if training and self.applies_relu else None
        for step in [*self.steps, *([self.skip] if self.skip else [])]:
            step.allocate(ops, blocks, training)

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        skipped = self.skip.forward(x, training) if self.skip else x
        x = sequence.forward(self.steps, x, training)
        add = self.ops.add_relu if self.applies_relu else self.ops.add
        add(vectors(x), vectors(skipped), vectors(self.y))
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        if self.applies_relu:
            self.ops.relu_backward(vectors(self.y), vectors(dy), vectors(self.dsum))
            dy = self.dsum
        skipped = self.skip.backward(dy, input_gradient) if self.skip else dy
        dx = sequence.backward(self.steps, dy, input_gradient)
        if input_gradient:
            self.ops.add(vectors(dx), vectors(skipped), vectors(self.dx))
        return self.dx

    def multiply_adds(self) -> int:
        return sum(layer.multiply_adds() for layer in self.children()[1])

    def config(self) -> dict:
        layers = [layer.config() for layer in self.layers]
        return {"type": "Residual", "layers": layers, "projection": self.projection}


def _projection(shape: Shape, wanted: Shape) -> Conv2D:
    """The convolution by single pixels from one shape to another; UserError if none does that."""
    for stride in range(1, max(shape[1:], default=0) + 1):
        skip = Conv2D(wanted[0], 1, stride)
        if skip.connect(shape) == wanted:
            return skip
    raise UserError(f"Residual: no stride of a projection makes {times(wanted)} of {times(shape)}; use other layers.")
