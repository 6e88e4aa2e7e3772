"""TensorFlow: the same layers and weights as a graph; the better of its own kernels and those that XLA compiles.

Pixels come before channels here, the only order that TensorFlow convolves on a CPU; the weights are put into
that order once, so that nothing is turned around in a step.
"""

import os
from collections.abc import Callable
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # else it tells what this CPU can do
import tensorflow as tf

from fastdigits.bench.rivals import zeros_after
from fastdigits.bench.rivals.limit import try_compiled
from fastdigits.bench.workload import Contender, Workload
from fastdigits.config.training import TrainConfig
from fastdigits.errors import UserError
from fastdigits.nn import Conv2D, Flatten, Network
from fastdigits.training.optimizer import EPSILON

NAME = "tensorflow"


def version() -> str:
    """The framework's version."""
    return tf.__version__


def training(workload: Workload, compiled: bool, say: Callable[[str], Any]) -> list[Contender]:
    """Training steps with AdamW as one graph."""
    found = [_training(workload, "graph", xla=False)]
    if compiled:
        found += try_compiled("XLA", lambda: _training(workload, "XLA", xla=True), say)
    return found


def inference(workload: Workload, compiled: bool, say: Callable[[str], Any]) -> list[Contender]:
    """Scores of the batch as one graph, whose weights are constants."""
    found = [_inference(workload, "graph", xla=False)]
    if compiled:
        found += try_compiled("XLA", lambda: _inference(workload, "XLA", xla=True), say)
    return found


class AdamW:
    """The optimiser as an operation on each parameter that TensorFlow has for Adam, after the decay."""

    def __init__(self, parameters: list[tf.Variable], recipe: TrainConfig, rate: float):
        self.parameters, self.recipe = parameters, recipe
        self.rate = tf.Variable(rate)  # a constant 0 would be optimised away with all that it multiplies
        self.powers = [tf.Variable(recipe.beta1), tf.Variable(recipe.beta2)]
        self.means, self.squares = ([tf.Variable(tf.zeros_like(p)) for p in parameters] for _ in range(2))

    def step(self, gradients: list[tf.Tensor]) -> None:
        """Move the parameters; to be called in a graph."""
        recipe, rate = self.recipe, self.rate.read_value()
        powers = [power.read_value() for power in self.powers]
        for parameter, mean, square, gradient in zip(self.parameters, self.means, self.squares, gradients, strict=True):
            parameter.assign_sub(rate * recipe.weight_decay * parameter)
            tf.raw_ops.ResourceApplyAdam(
                var=parameter.handle,
                m=mean.handle,
                v=square.handle,
                beta1_power=powers[0],
                beta2_power=powers[1],
                lr=rate,
                beta1=recipe.beta1,
                beta2=recipe.beta2,
                epsilon=EPSILON,
                grad=gradient,
            )
        for power, beta in zip(self.powers, (recipe.beta1, recipe.beta2), strict=True):
            power.assign(power * beta)


def _training(workload: Workload, variant: str, xla: bool) -> Contender:
    x, labels = _prepared(workload), tf.constant(workload.labels)
    parameters = {name: tf.Variable(array) for name, array in _in_their_order(workload).items()}
    variables, forward = list(parameters.values()), _forward_of(workload.network)
    optimizer = AdamW(variables, workload.recipe, rate=0.0)  # why 0, networks.py says

    def gradients() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, forward(x, parameters))
            loss = tf.reduce_mean(losses)
        return tape.gradient(loss, variables)

    @tf.function(jit_compile=xla)
    def step() -> tf.Tensor:
        optimizer.step(gradients())
        return optimizer.powers[0].read_value()

    def run(steps: int) -> None:
        for _ in range(steps):
            last = step()
        last.numpy()  # is there when the step is done

    def outputs() -> dict[str, np.ndarray]:
        found = tf.function(gradients, jit_compile=xla)()
        return _in_our_order(workload, {name: g.numpy() for name, g in zip(parameters, found, strict=True)})

    return Contender(NAME, variant, run, outputs)


def _inference(workload: Workload, variant: str, xla: bool) -> Contender:
    x, parameters, forward = _prepared(workload), _in_their_order(workload), _forward_of(workload.network)

    @tf.function(jit_compile=xla)
    def scores(batch: tf.Tensor) -> tf.Tensor:
        return forward(batch, parameters)

    def run(steps: int) -> None:
        for _ in range(steps):
            last = scores(x)
        last.numpy()

    return Contender(NAME, variant, run, lambda: {"scores": scores(x).numpy()})


def _prepared(workload: Workload) -> tf.Tensor:
    """The images in TensorFlow's order, with as many threads as everybody has; it takes their number only once."""
    if tf.config.threading.get_intra_op_parallelism_threads() != workload.threads:
        tf.config.threading.set_intra_op_parallelism_threads(workload.threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    return tf.constant(workload.images.transpose(0, 2, 3, 1))


def _forward_of(network: Network) -> Callable[[Any, dict[str, Any]], Any]:
    """The scores as a function of images and parameters; UserError if there is a layer that this file does not know."""
    for layer in network.layers:
        if (kind := type(layer).__name__) not in LAYERS:
            raise UserError(
                f"There is no layer {kind} in the comparison with TensorFlow; leave --against tensorflow out."
            )

    def forward(x: Any, parameters: dict[str, Any]) -> Any:
        for name, layer in zip(network.names, network.layers, strict=True):
            own = [parameters[f"{name}/{parameter.name}"] for parameter in layer.parameters]
            x = LAYERS[type(layer).__name__](layer, x, *own)
        return x

    return forward


def _orders(network: Network) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    """For each parameter the shape in which its axes can be turned, and their order in TensorFlow: outputs last."""
    found, flattened = {}, ()
    for name, layer in zip(network.names, network.layers, strict=True):
        if isinstance(layer, Flatten) and len(layer.input_shape) == 3:
            flattened = layer.input_shape
        for parameter in layer.parameters:
            shape, axes = parameter.shape, (0,)
            if len(shape) == 2 and flattened:  # the first dense layer sees pixels before channels
                shape, flattened = (shape[0], *flattened), ()
            if len(shape) > 1:
                axes = (2, 3, 1, 0) if len(shape) == 4 else (1, 0)
            found[f"{name}/{parameter.name}"] = shape, axes
    return found


def _in_their_order(workload: Workload) -> dict[str, np.ndarray]:
    turned = {}
    for name, (shape, axes) in _orders(workload.network).items():
        ours = workload.weights[name]
        array = ours.reshape(shape).transpose(axes)
        turned[name] = np.ascontiguousarray(array.reshape(-1, len(ours)) if ours.ndim == 2 else array)
    return turned


def _in_our_order(workload: Workload, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    turned = {}
    for name, (shape, axes) in _orders(workload.network).items():
        array = arrays[name].reshape([shape[axis] for axis in axes]).transpose(np.argsort(axes))
        turned[name] = array.reshape(workload.weights[name].shape)
    return turned


def _convolution(layer: Conv2D, x: Any, weight: Any, bias: Any) -> Any:
    pads = (layer.top, zeros_after(layer)[0]), (layer.left, zeros_after(layer)[1])
    if min(map(min, pads)) < 0:  # pixels that are left out
        rows, columns = (slice(max(-before, 0), min(after, 0) or None) for before, after in pads)
        x = x[:, rows, columns]
    zeros = [[0, 0], *([max(before, 0), max(after, 0)] for before, after in pads), [0, 0]]
    return tf.nn.bias_add(tf.nn.conv2d(x, weight, layer.stride, zeros), bias)


# Each of our layers in TensorFlow
LAYERS: dict[str, Callable[..., Any]] = {
    "Conv2D": _convolution,
    "Dense": lambda layer, x, weight, bias: tf.nn.bias_add(tf.linalg.matmul(x, weight), bias),
    "MaxPool2D": lambda layer, x: tf.nn.max_pool2d(x, layer.size, layer.stride, "VALID"),
    "AvgPool2D": lambda layer, x: tf.nn.avg_pool2d(x, layer.size, layer.stride, "VALID"),
    "Flatten": lambda layer, x: tf.reshape(x, (len(x), -1)),
    "ReLU": lambda layer, x: tf.nn.relu(x),
    "LeakyReLU": lambda layer, x: tf.nn.leaky_relu(x, layer.slope),
    "Sigmoid": lambda layer, x: tf.nn.sigmoid(x),
    "Tanh": lambda layer, x: tf.nn.tanh(x),
}
