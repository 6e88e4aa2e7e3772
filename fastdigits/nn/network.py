"""A network: a chain of layers, built for one device."""

from collections.abc import Iterable, Sequence
from copy import copy
from reprlib import repr as shown
from typing import Any

import numpy as np

from fastdigits.errors import UserError
from fastdigits.nn import sequence
from fastdigits.nn.class_names import checked_names, default_names
from fastdigits.nn.fuse import fuse
from fastdigits.nn.inference_graph import Fold, inference_graph, needs_inference_graph
from fastdigits.nn.initializers import initial_value
from fastdigits.nn.layers import Layer, Shape, TrainingStep, vectors
from fastdigits.nn.memory import check_memory
from fastdigits.nn.parameter import Parameter, ParameterBuffer
from fastdigits.nn.registry import is_built_in, layer_from_config
from fastdigits.nn.sequence import Step
from fastdigits.ops.array import blocks
from fastdigits.ops.interface import Array, Ops

MAX_PIXELS = 4096  # in a row or a column, far beyond any digit
INFERENCE_MICRO_BATCH = 128  # images at a time: the activations between two layers then stay in the cache


class Network:
    """A chain of layers that maps an image to one score per class.

    Parameters
    ----------
    layers : list of Layer
        Layers are copied, so that the same layers may be used in several networks.
    input_shape : (channels, rows, columns)
        Shape of one image.
    class_names : sequence of str, optional
        A name for each output; their numbers by default.

    Raises
    ------
    UserError
        If a layer cannot take the output of the layer before it, or there is not one name for each output.
    """

    def __init__(self, layers: list[Layer], input_shape: Shape = (1, 28, 28), class_names: Sequence[str] | None = None):
        if not layers:
            raise UserError("A network needs at least one layer.")
        sequence.check_count(layers)
        if len(input_shape) != 3 or not all(type(size) is int and 1 <= size <= MAX_PIXELS for size in input_shape):
            raise UserError(f"Channels, rows and columns must lie between 1 and {MAX_PIXELS}, not {input_shape}.")
        self.layers, self.input_shape = [copy(layer) for layer in layers], tuple(input_shape)
        self.names = sequence.layer_names(self.layers)
        shape = sequence.connect(self.layers, self.input_shape)
        for number, layer in enumerate(sequence.walk(self.layers)):
            layer.number = number
        self.output_shape = self._check_output(shape)
        self.classes = shape[0]
        self.class_names = checked_names(class_names, self.classes)

    @classmethod
    def from_config(cls, config: dict) -> "Network":
        """Create a network from the result of `config`; raise UserError if it is damaged."""
        if "symbols" in config:
            raise UserError("The network reads lines of symbols, not images of one digit; give another one.")
        try:
            return cls(cls._layers_from(config), tuple(config["input_shape"]), config.get("classes"))
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise UserError(f"The description of the network is damaged: {error}.") from None

    @staticmethod
    def _layers_from(config: dict) -> list[Layer]:
        sequence.check_count(config["layers"])
        return [layer_from_config(layer) for layer in config["layers"]]

    def _check_output(self, shape: Shape) -> Shape:
        """Return the shape of the scores of one image, or raise UserError if the layers give another kind of output."""
        if len(shape) != 1:
            raise UserError("The last layer must give one score for each class; end with Flatten and Dense.")
        return shape

    def config(self) -> dict:
        """Describe the architecture in plain JSON types; default names of classes are left out."""
        named = self.class_names != default_names(self.classes)
        return {
            "input_shape": list(self.input_shape),
            "layers": [layer.config() for layer in self.layers],
            **({"classes": list(self.class_names)} if named else {}),
        }

    def parameters(self) -> dict[str, Parameter]:
        """Return all parameters by qualified name, such as "dense_1/weight"."""
        return sequence.named_parameters(self.names, self.layers, "parameters")

    def running(self) -> dict[str, Parameter]:
        """Return the running statistics of batch normalization by qualified name."""
        return sequence.named_parameters(self.names, self.layers, "running")

    def state(self) -> dict[str, Parameter]:
        """Return the parameters and running statistics by qualified name, as weights files store them."""
        return self.parameters() | self.running()

    def freeze(self, names: Iterable[str]) -> None:
        """Keep the parameters of some layers as they are in training, and train all others.

        A frozen batch normalization keeps its running statistics too, and normalizes by them. Call this before `build`.

        Parameters
        ----------
        names : iterable of str
            Names of layers with parameters, such as "conv2d_1" or "residual_1". The layers in a block are frozen too.

        Raises
        ------
        UserError
            If there is no such layer, or no other layer is left to train.
        """
        layers = {name: layer for name, layer in sequence.walk_named(self.names, self.layers) if layer.parameters}
        chosen = set(names)
        for name in sorted(chosen - layers.keys()):
            raise UserError(f"There is no layer {shown(name)} to freeze; choose among {', '.join(layers)}.")
        for parameter in self.parameters().values():
            parameter.frozen = False
        for name in chosen:
            for parameter in layers[name].parameters:
                parameter.frozen = True
        if chosen and all(parameter.frozen for parameter in self.parameters().values()):
            raise UserError("All layers are frozen, so that none is left to train; freeze fewer.")

    @property
    def frozen_count(self) -> int:
        """Number of values that training leaves as they are."""
        return sum(parameter.size for parameter in self.parameters().values() if parameter.frozen)

    @property
    def parameter_count(self) -> int:
        """Number of values of all parameters, of frozen ones too."""
        return sum(parameter.size for parameter in self.parameters().values())

    @property
    def has_custom_layers(self) -> bool:
        """Whether a layer is from outside of the package."""
        return not all(map(is_built_in, sequence.walk(self.layers)))

    @property
    def is_recordable(self) -> bool:
        """Whether all layers compute with operations only, so that a training step can be recorded and replayed."""
        layers = sequence.walk(self.layers)
        return all(is_built_in(layer) or vars(type(layer)).get("only_operations", False) for layer in layers)

    def check_images(self, images: np.ndarray, labels: np.ndarray | None, pad: int = 0) -> None:
        """Check that images and labels fit the network.

        Parameters
        ----------
        images : array (N, H, W)
        labels : array (N,), optional
        pad : int
            Number of zeros that preprocessing adds on each side of an image.

        Raises
        ------
        UserError
            If their numbers differ, the images have another shape or a label has no output.
        """
        if labels is not None and len(images) != len(labels):
            raise UserError(f"There are {len(images)} images but {len(labels)} labels; every image needs one.")
        shape = tuple(size + 2 * pad for size in images.shape[1:])
        if (1, *shape) != self.input_shape:
            size, expected = " x ".join(map(str, shape)), " x ".join(map(str, self.input_shape[1:]))
            channels = f" in {self.input_shape[0]} channels" if self.input_shape[0] > 1 else ""
            padded = f" with {pad} zeros added on each side" if pad else ""
            raise UserError(f"Expected {expected} images{channels}, got {size}{padded}.")
        if labels is not None and labels.max() >= self.classes:
            raise UserError(
                f"Label {labels.max()} is out of range for {self.classes} outputs; "
                f"give the last Dense layer at least {labels.max() + 1} units."
            )

    def build(self, ops: Ops, batch_size: int, training: bool = True, fused: bool = True) -> None:
        """Allocate parameters and buffers on the device of `ops`.

        Parameters
        ----------
        ops : Ops
        batch_size : int
            Largest number of images in a batch.
        training : bool
            Whether to allocate gradients. If not, the network is for inference only, which may run in micro-batches.
        fused : bool
            Whether to run chains of layers as single operations, and to simplify the network for inference.
        """
        parameters = self.parameters().values()
        self.buffer = ParameterBuffer(ops, [one for one in parameters if not one.frozen], training)
        ParameterBuffer(ops, [one for one in parameters if one.frozen], training)  # which the optimizer does not see
        for parameter in self.running().values():
            parameter.value = ops.zeros(parameter.shape)
        self._allocate(ops, batch_size, training, fused)

    def inference_copy(self, ops: Ops, batch_size: int) -> "Network":
        """Return a network for inference with the same parameters and statistics in memory, and buffers of its own.

        The weights must not change afterwards, because those that depend on them are computed only once.

        Parameters
        ----------
        ops : Ops
            Of the same device.
        batch_size : int
        """
        network = Network(self.layers, self.input_shape, self.class_names)
        for copied, parameter in zip(network.state().values(), self.state().values(), strict=True):
            copied.value = parameter.value
        network._allocate(ops, batch_size, training=False, fused=self.fused)
        for fold in network.folds:
            fold.update(ops)
        network.folds = []
        return network

    def initialise(self, seed: int) -> None:
        """Set parameters and running statistics to their initial values; the parameters are random."""
        for number, parameter in enumerate(self.state().values()):
            parameter.value[...] = self.ops.upload(initial_value(parameter, seed, number))

    def set_weights(self, values: dict[str, np.ndarray]) -> None:
        """Set parameters and running statistics to float32 arrays of the same names and shapes."""
        for name, parameter in self.state().items():
            parameter.value[...] = self.ops.upload(values[name])

    def weights(self) -> dict[str, np.ndarray]:
        """Copy parameters and running statistics to the host, by name."""
        return {name: self.ops.download(parameter.value) for name, parameter in self.state().items()}

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        """Compute the scores of a batch, in a buffer that the next call overwrites.

        Parameters
        ----------
        x : float32 (B, C, H, W, L)
        training : TrainingStep, optional
            Pass it to be able to call `backward`. Without it the network runs in inference mode: batch normalization
            takes its running statistics, and dropout does nothing.

        Returns
        -------
        float32 (B, classes, L)
        """
        if training:
            return sequence.forward(self.steps, x, training)
        for fold in self.folds:
            fold.update(self.ops)
        if len(x) <= self.micro_batch:
            return sequence.forward(self.inference_steps, x)
        for first in range(0, len(x), self.micro_batch):
            last = min(first + self.micro_batch, len(x))
            part = slice(last - self.micro_batch, last)  # the last part may overlap the one before it
            self.ops.copy(vectors(sequence.forward(self.inference_steps, x[part])), vectors(self.scores[part]))
        return self.scores

    def backward(self, dscores: Array) -> None:
        """Fill the gradients of all parameters, given the gradient of the scores of the last training `forward`."""
        sequence.backward(self.steps, dscores, input_gradient=False)

    def input_gradient(self, dscores: Array) -> Array:
        """Compute the gradient of the input of the last `forward`, given the gradient of the scores.

        The network must be built with `training` and without `fused`. If the last `forward` was without `training`,
        the gradient is that of the network in inference mode.
        """
        return sequence.backward(self.steps, dscores, input_gradient=True)

    def _allocate(self, ops: Ops, batch_size: int, training: bool, fused: bool) -> None:
        self.ops, self.batch_size, self.fused = ops, batch_size, fused
        self.steps: list[Step] = fuse(self.layers) if fused else list(self.layers)
        self.inference_steps, self.folds = self.steps, list[Fold]()
        if fused and needs_inference_graph(self.layers):
            graph, self.folds = inference_graph(self.layers)
            self.inference_steps = fuse(graph, forward_only=True)
        self.micro_batch = count = blocks(batch_size, ops.lanes)
        if ops.prefers_micro_batches and not training:
            self.micro_batch = min(count, blocks(INFERENCE_MICRO_BATCH, ops.lanes))
        if ops.device != "cuda":
            sizes = [parameter.size for parameter in self.parameters().values()]
            steps = self.steps if training else self.inference_steps
            check_memory(steps, sizes, self.micro_batch * ops.lanes, training)
        for fold in self.folds:
            fold.allocate(ops)
        self.scores: Any = ops.empty((count, *self.output_shape, ops.lanes))
        if training:
            for step in self.steps:
                step.allocate(ops, count, training=True)
        if not training or self.inference_steps is not self.steps:
            for step in self.inference_steps:
                step.allocate(ops, self.micro_batch, training=False)
