"""TensorFlow: the same network with the same weights as a graph, with TensorFlow's own kernels or compiled by XLA.

Images are (N, H, W, C), because TensorFlow's convolutions on a CPU support no other order. The weights are transposed
once in advance, so that no step transposes anything.
"""

import os
from collections.abc import Callable
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # hides messages about the instruction set of the CPU
import tensorflow as tf

from fastdigits.bench.rivals import bottom_right_padding, channels_last, translation
from fastdigits.bench.rivals.limit import try_compiled
from fastdigits.bench.workload import Contender, Workload
from fastdigits.config.training import TrainConfig
from fastdigits.nn import Conv2D, Network
from fastdigits.training.optimizer import EPSILON

NAME = "tensorflow"


def version() -> str:
    """Return the version of the framework."""
    return tf.__version__


def training(workload: Workload, compiled: bool, say: Callable[[str], Any]) -> list[Contender]:
    """Return the contenders that run training steps with AdamW, each step one graph."""
    found = [_training(workload, "graph", xla=False)]
    if compiled:
        found += try_compiled("XLA", lambda: _training(workload, "XLA", xla=True), say)
    return found


def inference(workload: Workload, compiled: bool, say: Callable[[str], Any]) -> list[Contender]:
    """Return the contenders that compute the scores of the batch, as one graph with constant weights."""
    found = [_inference(workload, "graph", xla=False)]
    if compiled:
        found += try_compiled("XLA", lambda: _inference(workload, "XLA", xla=True), say)
    return found


class AdamW:
    """AdamW for each parameter: weight decay, then TensorFlow's own Adam operation."""

    def __init__(self, parameters: list[tf.Variable], recipe: TrainConfig, rate: float):
        self.parameters, self.recipe = parameters, recipe
        self.rate = tf.Variable(rate)  # a constant 0 would be optimized away with everything it multiplies
        self.powers = [tf.Variable(recipe.beta1), tf.Variable(recipe.beta2)]
        self.means, self.squares = ([tf.Variable(tf.zeros_like(p)) for p in parameters] for _ in range(2))

    def step(self, gradients: list[tf.Tensor]) -> None:
        """Update the parameters; called while a graph is traced."""
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
    x, labels, forward = _images(workload), tf.constant(workload.labels), _forward_of(workload.network)
    parameters = {name: tf.Variable(array) for name, array in channels_last.weights(workload).items()}
    variables = list(parameters.values())
    optimizer = AdamW(variables, workload.recipe, rate=0.0)  # 0 for the reason given in bench/networks.py

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
        last.numpy()  # waits for the step

    def outputs() -> dict[str, np.ndarray]:
        found = tf.function(gradients, jit_compile=xla)()
        return channels_last.in_our_order(
            workload, {name: g.numpy() for name, g in zip(parameters, found, strict=True)}
        )

    return Contender(NAME, variant, run, outputs)


def _inference(workload: Workload, variant: str, xla: bool) -> Contender:
    x, forward, parameters = _images(workload), _forward_of(workload.network), channels_last.weights(workload)

    @tf.function(jit_compile=xla)
    def scores(batch: tf.Tensor) -> tf.Tensor:
        return forward(batch, parameters)

    def run(steps: int) -> None:
        for _ in range(steps):
            last = scores(x)
        last.numpy()

    return Contender(NAME, variant, run, lambda: {"scores": scores(x).numpy()})


def _images(workload: Workload) -> tf.Tensor:
    """Set the number of threads, which TensorFlow allows only before first use, and return the images (N, H, W, C)."""
    if tf.config.threading.get_intra_op_parallelism_threads() != workload.threads:
        tf.config.threading.set_intra_op_parallelism_threads(workload.threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    return tf.constant(channels_last.images(workload))


def _forward_of(network: Network) -> Callable[[Any, dict[str, Any]], Any]:
    """Return the scores as a function of images and parameters.

    Raises
    ------
    UserError
        If LAYERS does not have one of the network's layers.
    """
    functions = [translation(LAYERS, layer, "TensorFlow") for layer in network.layers]

    def forward(x: Any, parameters: dict[str, Any]) -> Any:
        for name, layer, function in zip(network.names, network.layers, functions, strict=True):
            x = function(layer, x, *(parameters[f"{name}/{parameter.name}"] for parameter in layer.parameters))
        return x

    return forward


def _convolution(layer: Conv2D, x: Any, weight: Any, bias: Any) -> Any:
    pads = (layer.top, bottom_right_padding(layer)[0]), (layer.left, bottom_right_padding(layer)[1])
    if min(map(min, pads)) < 0:  # cropping
        rows, columns = (slice(max(-before, 0), min(after, 0) or None) for before, after in pads)
        x = x[:, rows, columns]
    padding = [[0, 0], *([max(before, 0), max(after, 0)] for before, after in pads), [0, 0]]
    return tf.nn.bias_add(tf.nn.conv2d(x, weight, layer.stride, padding), bias)


# Our layers in TensorFlow
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
    "GELU": lambda layer, x: tf.nn.gelu(x, approximate=True),
    "SiLU": lambda layer, x: tf.nn.silu(x),
}
