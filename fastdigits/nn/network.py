"""A chain of layers with its parameters, built for one device."""

from copy import copy

import numpy as np

from fastdigits.errors import UserError
from fastdigits.nn import sequence
from fastdigits.nn.fuse import fuse, plain
from fastdigits.nn.inference_graph import Folded, for_inference
from fastdigits.nn.initializers import initial_value
from fastdigits.nn.layers import Layer, Shape, TrainingStep
from fastdigits.nn.parameter import Parameter, ParameterBuffer
from fastdigits.nn.registry import layer_of
from fastdigits.ops.array import blocks
from fastdigits.ops.interface import Array, Ops

MAX_PIXELS = 4096  # far beyond any digit
INFERENCE_MICRO_BATCH = 64  # images at a time, so that activations between layers stay in the cache


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
        if len(input_shape) != 3 or not all(type(size) is int and 1 <= size <= MAX_PIXELS for size in input_shape):
            raise UserError(f"An input has channels, rows and columns from 1 to {MAX_PIXELS}, not {input_shape}.")
        self.layers, self.input_shape = [copy(layer) for layer in layers], tuple(input_shape)  # each has its buffers
        self.names = sequence.names_of(self.layers)
        shape = sequence.connect(self.layers, self.input_shape)
        for number, layer in enumerate(sequence.walk(self.layers)):
            layer.number = number
        if len(shape) != 1:
            raise UserError("The last layer must give one score for each class; end with Flatten and Dense.")
        self.classes = shape[0]

    @classmethod
    def from_config(cls, config: dict) -> "Network":
        """The network that `config()` describes; UserError where the description makes none."""
        try:
            layers = [layer_of(layer) for layer in config["layers"]]
            return cls(layers, tuple(config["input_shape"]))
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise UserError(f"The description of the network is damaged: {error}.") from None

    def config(self) -> dict:
        """What makes this network again, without its parameters, as plain JSON types."""
        return {"input_shape": list(self.input_shape), "layers": [layer.config() for layer in self.layers]}

    def parameters(self) -> dict[str, Parameter]:
        """All parameters by name: "dense_1/weight" and so on."""
        return self._named("parameters")

    def running(self) -> dict[str, Parameter]:
        """All running statistics by name; they change while the network learns, but by no gradient."""
        return self._named("running")

    def state(self) -> dict[str, Parameter]:
        """All that a weights file keeps: parameters and running statistics."""
        return self.parameters() | self.running()

    def _named(self, kind: str) -> dict[str, Parameter]:
        layers = zip(self.names, self.layers, strict=True)
        return {f"{name}/{parameter.name}": parameter for name, layer in layers for parameter in getattr(layer, kind)}

    @property
    def parameter_count(self) -> int:
        """How many numbers are learned."""
        return sum(parameter.size for parameter in self.parameters().values())

    def check_images(self, images: np.ndarray, labels: np.ndarray | None, pad: int = 0) -> None:
        """UserError unless the network can read the images (N, H, W), with so many zeros added on each side, and has
        a score for every label (N,), if there are labels.
        """
        if labels is not None and len(images) != len(labels):
            raise UserError(f"There are {len(images)} images but {len(labels)} labels; every image needs one.")
        shape = tuple(size + 2 * pad for size in images.shape[1:])
        if (1, *shape) != self.input_shape:
            size, expected = " x ".join(map(str, shape)), " x ".join(map(str, self.input_shape[1:]))
            channels = f" in {self.input_shape[0]} channels" if self.input_shape[0] > 1 else ""
            padded = f" with {pad} zeros added on each side" if pad else ""
            raise UserError(
                f"The network reads images of {expected} pixels{channels}, but these have {size}{padded}; use others."
            )
        if labels is not None and labels.max() >= self.classes:
            raise UserError(f"The network has {self.classes} outputs, but there is a label {labels.max()}; use more.")

    def build(self, ops: Ops, batch_size: int, training: bool = True, fused: bool = True) -> None:
        """Allocate parameters and buffers on the device of `ops`, for batches of up to batch_size images.

        With `fused`, chains of layers that have an operation of their own become one step, and where layers have
        less to do in use than while they learn, a chain of steps of its own does that.
        """
        self.ops, self.batch_size, self.fused = ops, batch_size, fused
        self.buffer = ParameterBuffer(ops, list(self.parameters().values()), training)
        for parameter in self.running().values():
            parameter.value = ops.zeros(parameter.shape)
        used = for_inference(self.layers) if fused else self.layers
        self.steps = fuse(self.layers) if fused else plain(self.layers)
        self.inference_steps = self.steps if used is self.layers else fuse(used, forward_only=True)
        self.folded = [layer for layer in sequence.walk(used) if isinstance(layer, Folded)]
        for layer in self.folded:
            layer.prepare(ops)
        self.micro_batch = count = blocks(batch_size, ops.lanes)
        if ops.prefers_micro_batches and not training:
            self.micro_batch = min(count, blocks(INFERENCE_MICRO_BATCH, ops.lanes))
        self.scores = ops.empty((count, self.classes, ops.lanes))
        for step in self.steps if training else []:
            step.allocate(ops, count, training=True)
        for step in self.inference_steps if not training or used is not self.layers else []:
            step.allocate(ops, self.micro_batch, training=False)

    def initialise(self, seed: int) -> None:
        """Give all parameters their random start, and the running statistics theirs."""
        for number, parameter in enumerate(self.state().values()):
            parameter.value[...] = self.ops.upload(initial_value(parameter, seed, number))

    def set_weights(self, values: dict[str, np.ndarray]) -> None:
        """Give all parameters and running statistics the values of float32 arrays of their names and shapes."""
        for name, parameter in self.state().items():
            parameter.value[...] = self.ops.upload(values[name])

    def weights(self) -> dict[str, np.ndarray]:
        """A copy of all parameters and running statistics, by name."""
        return {name: self.ops.download(parameter.value) for name, parameter in self.state().items()}

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        """The scores (B, classes, L) of a batch x (B, C, H, W, L), in a buffer that the next call fills anew.

        `training` is for batches that the network learns from, and `backward` may follow; without it the network is
        merely used: batch normalisation takes its running statistics, and nothing is dropped.
        """
        if training:
            return sequence.forward(self.steps, x, training)
        for layer in self.folded:
            layer.fold()
        if len(x) <= self.micro_batch:
            return sequence.forward(self.inference_steps, x)
        for first in range(0, len(x), self.micro_batch):
            last = min(first + self.micro_batch, len(x))
            part = slice(last - self.micro_batch, last)  # the last one may repeat some images
            self.scores[part] = sequence.forward(self.inference_steps, x[part])
        return self.scores

    def backward(self, dscores: Array) -> None:
        """Fill the gradients of all parameters from that of the scores of the last `forward` with `training`."""
        sequence.backward(self.steps, dscores, input_gradient=False)

    def input_gradient(self, dscores: Array) -> Array:
        """The gradient of the input of the last `forward`, from that of the scores.

        The network must be built for training and without `fused`; then that `forward` may also be one without
        `training`, and the gradient is that of the network in use.
        """
        return sequence.backward(self.steps, dscores, input_gradient=True)
