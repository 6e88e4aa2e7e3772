"""Residual blocks."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from reprlib import repr as shown

from fastdigits.errors import UserError
from fastdigits.nn import sequence
from fastdigits.nn.layers import Conv2D, Layer, Shape, TrainingStep, format_shape, vectors
from fastdigits.nn.parameter import Parameter
from fastdigits.ops.interface import Array, Ops


@dataclass(eq=False)
class Residual(Layer):
    """Residual block: the sum of its input and the output of `layers`.

    Parameters
    ----------
    layers : list of Layer
    projection : bool
        Whether to apply a 1 x 1 convolution to the input before adding it, so that its channels and, by the stride of
        the convolution, its rows and columns match the output of `layers`.

    References
    ----------
    He et al. (2016), Deep residual learning for image recognition.
    """

    layers: list[Layer]
    projection: bool = False

    def shape_of_output(self, input_shape: Shape) -> Shape:
        if not isinstance(self.layers, list | tuple) or not all(isinstance(layer, Layer) for layer in self.layers):
            raise UserError("Residual: layers must be a list of layers.")
        if not isinstance(self.projection, bool):
            raise UserError(f"Residual: projection must be true or false, not {shown(self.projection)}.")
        self.layers = [copy(layer) for layer in self.layers]  # the user may put the same layers into several blocks
        shape = sequence.connect(self.layers, input_shape)
        self.skip = _projection(input_shape, shape) if self.projection else None
        if not self.skip and shape != input_shape:
            raise UserError(
                f"Residual: its layers map {format_shape(input_shape)} to {format_shape(shape)}, which cannot be "
                "added; set projection, or use other layers."
            )
        return shape

    @property
    def parameters(self) -> Sequence[Parameter]:  # type: ignore[override]
        """The parameters of its layers and its projection."""
        return [parameter for layer in self.children()[1] for parameter in layer.parameters]

    @property
    def running(self) -> Sequence[Parameter]:  # type: ignore[override]
        """The running statistics of its layers."""
        return [parameter for layer in self.children()[1] for parameter in layer.running]

    def children(self) -> tuple[list[str], list[Layer]]:
        names, layers = sequence.layer_names(self.layers), list(self.layers)
        return ([*names, "projection"], [*layers, self.skip]) if self.skip else (names, layers)

    def with_layers(self, layers: list[Layer]) -> "Residual":
        """Return a block with other connected layers and the same projection."""
        block = copy(self)
        block.layers, block.skip = layers, copy(self.skip)
        return block

    def allocate(self, ops: Ops, blocks: int, training: bool) -> None:
        super().allocate(ops, blocks, training)
        for layer in self.children()[1]:
            layer.allocate(ops, blocks, training)

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        skipped = self.skip.forward(x, training) if self.skip else x
        x = sequence.forward(self.layers, x, training)
        self.ops.add(vectors(x), vectors(skipped), vectors(self.y))
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        skipped = self.skip.backward(dy, input_gradient) if self.skip else dy
        dx = sequence.backward(self.layers, dy, input_gradient)
        if input_gradient:
            self.ops.add(vectors(dx), vectors(skipped), vectors(self.dx))
        return self.dx

    def multiply_adds(self) -> int:
        return sum(layer.multiply_adds() for layer in self.children()[1])

    def config(self) -> dict:
        layers = [layer.config() for layer in self.layers]
        return {"type": "Residual", "layers": layers, "projection": self.projection}


def _projection(shape: Shape, wanted: Shape) -> Conv2D:
    """Return the 1 x 1 convolution that maps `shape` to `wanted`; raise UserError if no stride does."""
    for stride in range(1, max(shape[1:], default=0) + 1):
        skip = Conv2D(wanted[0], 1, stride)
        if skip.connect(shape) == wanted:
            return skip
    raise UserError(
        f"Residual: no stride of the projection maps {format_shape(shape)} to {format_shape(wanted)}; use other layers."
    )
