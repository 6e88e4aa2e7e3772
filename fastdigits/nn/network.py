"""A chain of layers with its parameters, built for one device."""

from collections import Counter
from copy import copy
from math import prod
from typing import Any

import numpy as np

from fastdigits.errors import UserError
from fastdigits.nn.fuse import fuse, plain
from fastdigits.nn.initializers import initial_value
from fastdigits.nn.layers import LAYERS, Layer, Shape
from fastdigits.nn.parameter import ParameterBuffer
from fastdigits.ops.array import blocks

# Far beyond any network for digits; a damaged weights file must not ask for terabytes.
MOST_PIXELS, MOST_OUTPUTS, MOST_PARAMETERS = 4096, 2**24, 2**28


class Network:
    """Layers one after the other, from an image to one score for each class.

    Parameters
    ----------
    layers : list of Layer
    input_shape : (channels, rows, columns)
        Of one image.

    Raises
    ------
    UserError
        If a layer does not fit the output of the one before it.
    """

    def __init__(self, layers: list[Layer], input_shape: Shape = (1, 28, 28)):
        if not layers:
            raise UserError("A network needs at least one layer.")
        if len(input_shape) != 3 or not all(type(size) is int and 1 <= size <= MOST_PIXELS for size in input_shape):
            raise UserError(f"An input has channels, rows and columns from 1 to {MOST_PIXELS}, not {input_shape}.")
        self.layers, self.input_shape = [copy(layer) for layer in layers], tuple(input_shape)  # each has its buffers
        self.names = _unique_names(self.layers)
        shape = self.input_shape
        for name, layer in zip(self.names, self.layers, strict=True):
            try:
                shape = layer.connect(shape)
            except UserError as error:
                raise UserError(f"Layer {name}: {error}") from None
            if prod(shape) > MOST_OUTPUTS or sum(parameter.size for parameter in layer.parameters) > MOST_PARAMETERS:
                raise UserError(f"Layer {name}: is too large for this program.")
        if len(shape) != 1:
            raise UserError("The last layer must give one score for each class; end with Flatten and Dense.")
        self.classes = shape[0]

    @classmethod
    def from_config(cls, config: dict) -> "Network":
        """The network that `config()` describes; UserError where the description makes none."""
        try:
            layers = [_layer_from_config(layer) for layer in config["layers"]]
            return cls(layers, tuple(config["input_shape"]))
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"The description of the network is damaged: {error}.") from None

    def config(self) -> dict:
        """What makes this network again, without its parameters, as plain JSON types."""
        return {"input_shape": list(self.input_shape), "layers": [layer.config() for layer in self.layers]}

    def parameters(self) -> dict[str, Any]:
        """All parameters by name: "dense_1/weight" and so on."""
        return {
            f"{name}/{parameter.name}": parameter
            for name, layer in zip(self.names, self.layers, strict=True)
            for parameter in layer.parameters
        }

    @property
    def parameter_count(self) -> int:
        """How many numbers are learned."""
        return sum(parameter.size for parameter in self.parameters().values())

    def check_images(self, images: np.ndarray, labels: np.ndarray, pad: int = 0) -> None:
        """UserError unless the network can read the images (N, H, W), with so many zeros added on each side, and has
        a score for every label (N,).
        """
        if len(images) != len(labels):
            raise UserError(f"There are {len(images)} images but {len(labels)} labels; every image needs one.")
        shape = tuple(size + 2 * pad for size in images.shape[1:])
        if (1, *shape) != self.input_shape:
            size, expected = " x ".join(map(str, shape)), " x ".join(map(str, self.input_shape[1:]))
            channels = f" in {self.input_shape[0]} channels" if self.input_shape[0] > 1 else ""
            padded = f" with {pad} zeros added on each side" if pad else ""
            raise UserError(
                f"The network reads images of {expected} pixels{channels}, but these have {size}{padded}; use others."
            )
        if labels.max() >= self.classes:
            raise UserError(f"The network has {self.classes} outputs, but there is a label {labels.max()}; use more.")

    def build(self, ops: Any, batch_size: int, training: bool = True, fused: bool = True) -> None:
        """Allocate parameters and buffers on the device of `ops`, for batches of up to batch_size images.

        With `fused`, chains of layers that have an operation of their own become one step.
        """
        self.ops, self.batch_size = ops, batch_size
        self.buffer = ParameterBuffer(ops, list(self.parameters().values()), training)
        self.steps = fuse(self.layers) if fused else plain(self.layers)
        self.first_learning = next((i for i, step in enumerate(self.steps) if step.parameters), len(self.steps))
        for step in self.steps:
            step.allocate(ops, blocks(batch_size, ops.lanes), training)

    def initialise(self, seed: int) -> None:
        """Give all parameters their random start."""
        for number, parameter in enumerate(self.parameters().values()):
            parameter.value[...] = self.ops.upload(initial_value(parameter, seed, number))

    def set_values(self, values: dict[str, np.ndarray]) -> None:
        """Give all parameters the values of float32 arrays of their names and shapes."""
        for name, parameter in self.parameters().items():
            parameter.value[...] = self.ops.upload(values[name])

    def values(self) -> dict[str, np.ndarray]:
        """A copy of all parameters, by name."""
        return {name: self.ops.download(parameter.value) for name, parameter in self.parameters().items()}

    def forward(self, x: Any) -> Any:
        """The scores (B, classes, L) of a batch x (B, C, H, W, L), in a buffer that the next call fills anew."""
        for step in self.steps:
            x = step.forward(x)
        return x

    def backward(self, dscores: Any) -> None:
        """Fill the gradients of all parameters from that of the scores of the last `forward`."""
        gradient = dscores
        for number in range(len(self.steps) - 1, self.first_learning - 1, -1):
            gradient = self.steps[number].backward(gradient, input_gradient=number > self.first_learning)


def _unique_names(layers: list[Layer]) -> list[str]:
    seen: Counter[str] = Counter()
    names = []
    for layer in layers:
        kind = type(layer).__name__.lower()
        seen[kind] += 1
        names.append(f"{kind}_{seen[kind]}")
    return names


def _layer_from_config(config: dict) -> Layer:
    fields = dict(config)
    kind = fields.pop("type")
    if kind not in LAYERS:
        raise UserError(f"There is no layer '{kind}'; there are {', '.join(LAYERS)}.")
    return LAYERS[kind](**fields)
