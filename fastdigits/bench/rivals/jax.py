"""JAX: the same network with the same weights, compiled by XLA, with images (N, H, W, C)."""

import os
from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from fastdigits.bench.rivals import channels_last, translation
from fastdigits.bench.workload import Contender, Workload
from fastdigits.config.training import TrainConfig
from fastdigits.nn import AvgPool2D, Conv2D, MaxPool2D, Network
from fastdigits.training.optimizer import EPSILON

NAME = "jax"
THREADS = "NPROC"  # the environment variable from which XLA takes its number of threads

Arrays = dict[str, Any]


def version() -> str:
    """Return the version of the framework."""
    return jax.__version__


def training(workload: Workload, compiled: bool, say: Callable[[str], Any]) -> list[Contender]:
    """Return the contender that runs training steps with AdamW, each step one compiled function."""
    os.environ[THREADS] = str(workload.threads)
    x, labels = jnp.asarray(channels_last.images(workload)), jnp.asarray(workload.labels)
    forward, parameters = _forward_of(workload.network), jax.tree.map(jnp.asarray, channels_last.weights(workload))
    rate = jnp.float32(0)  # 0 for the reason given in bench/networks.py; an argument, so that nothing is optimized away

    def loss(parameters: Arrays, x: Any, labels: Any) -> Any:
        return -jnp.take_along_axis(jax.nn.log_softmax(forward(x, parameters)), labels[:, None], axis=1).mean()

    @partial(jax.jit, donate_argnums=0)
    def step(state: tuple[Arrays, Arrays, Arrays, Any], rate: Any, x: Any, labels: Any) -> tuple:
        return adamw(state, jax.grad(loss)(state[0], x, labels), rate, workload.recipe)

    zeros = [jax.tree.map(jnp.zeros_like, parameters) for _ in range(2)]
    state = (jax.tree.map(jnp.copy, parameters), *zeros, jnp.float32(0))

    def run(steps: int) -> None:
        nonlocal state
        for _ in range(steps):
            state = step(state, rate, x, labels)
        jax.block_until_ready(state)

    def outputs() -> dict[str, np.ndarray]:
        gradients = jax.jit(jax.grad(loss))(parameters, x, labels)
        return channels_last.in_our_order(workload, {name: np.asarray(array) for name, array in gradients.items()})

    return [Contender(NAME, "", run, outputs)]


def inference(workload: Workload, compiled: bool, say: Callable[[str], Any]) -> list[Contender]:
    """Return the contender that computes the scores of the batch, with constant weights."""
    os.environ[THREADS] = str(workload.threads)
    forward, parameters = _forward_of(workload.network), channels_last.weights(workload)
    x = jnp.asarray(channels_last.images(workload))
    scores = jax.jit(lambda x: forward(x, parameters))

    def run(steps: int) -> None:
        for _ in range(steps):
            last = scores(x)
        last.block_until_ready()

    return [Contender(NAME, "", run, lambda: {"scores": np.asarray(scores(x))})]


def adamw(state: tuple[Arrays, Arrays, Arrays, Any], gradients: Arrays, rate: Any, recipe: TrainConfig) -> tuple:
    """Return the state (parameters, means, squares, number of steps) after a step of AdamW."""
    parameters, means, squares, steps = state
    steps = steps + 1
    means = jax.tree.map(lambda m, g: recipe.beta1 * m + (1 - recipe.beta1) * g, means, gradients)
    squares = jax.tree.map(lambda s, g: recipe.beta2 * s + (1 - recipe.beta2) * g * g, squares, gradients)
    bias1, bias2 = 1 - recipe.beta1**steps, 1 - recipe.beta2**steps

    def moved(p: Any, m: Any, s: Any) -> Any:
        return p - rate * (recipe.weight_decay * p + m / bias1 / (jnp.sqrt(s / bias2) + EPSILON))

    return jax.tree.map(moved, parameters, means, squares), means, squares, steps


def _forward_of(network: Network) -> Callable[[Any, Arrays], Any]:
    """Return the scores as a function of images and parameters.

    Raises
    ------
    UserError
        If LAYERS does not have one of the network's layers.
    """
    functions = [translation(LAYERS, layer, "JAX") for layer in network.layers]

    def forward(x: Any, parameters: Arrays) -> Any:
        for name, layer, function in zip(network.names, network.layers, functions, strict=True):
            x = function(layer, x, *(parameters[f"{name}/{parameter.name}"] for parameter in layer.parameters))
        return x

    return forward


def _convolution(layer: Conv2D, x: Any, weight: Any, bias: Any) -> Any:
    top, left, bottom, right = layer.pads()
    strides, pads, order = (layer.stride, layer.stride), ((top, bottom), (left, right)), ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, weight, strides, pads, dimension_numbers=order) + bias


def _pooled(layer: MaxPool2D | AvgPool2D, x: Any, start: float, combine: Callable) -> Any:
    return lax.reduce_window(x, start, combine, (1, *layer.size, 1), (1, layer.stride, layer.stride, 1), "VALID")


# Our layers in JAX
LAYERS: dict[str, Callable[..., Any]] = {
    "Conv2D": _convolution,
    "Dense": lambda layer, x, weight, bias: x @ weight + bias,
    "MaxPool2D": lambda layer, x: _pooled(layer, x, -jnp.inf, lax.max),
    "AvgPool2D": lambda layer, x: _pooled(layer, x, 0.0, lax.add) / prod(layer.size),
    "Flatten": lambda layer, x: x.reshape(len(x), -1),
    "ReLU": lambda layer, x: jax.nn.relu(x),
    "LeakyReLU": lambda layer, x: jax.nn.leaky_relu(x, layer.slope),
    "Sigmoid": lambda layer, x: jax.nn.sigmoid(x),
    "Tanh": lambda layer, x: jnp.tanh(x),
    "GELU": lambda layer, x: jax.nn.gelu(x, approximate=True),
    "SiLU": lambda layer, x: jax.nn.silu(x),
}
