"""Check gradients of whole networks: a device against the float64 reference, and this against central differences."""

from collections.abc import Callable
from functools import partial
from typing import cast

import numpy as np

from fastdigits import ops as devices
from fastdigits.check.compare import error_over_tolerance
from fastdigits.check.result import CheckResult, describe_excess
from fastdigits.models import layers_of
from fastdigits.nn import BatchNorm, Conv2D, Dense, Flatten, GlobalAvgPool2D, MaxPool2D, Network, ReLU, Residual
from fastdigits.nn.layers import TrainingStep
from fastdigits.ops.array import blocks
from fastdigits.ops.interface import Ops

IMAGES = 8
SEED = 51  # chosen so that no input of a ReLU or max pooling is so close to a kink that rounding moves it across
TOLERANCE = 1e-5  # relative to the largest gradient of a layer, because that of a bias before a BatchNorm is 0
STEP = 1e-7  # of central differences, whose error is about 1e-9 for losses near 1 in float64
DIFFERENCES = 3  # elements per parameter


def networks() -> dict[str, Network]:
    """Return networks that together contain every chain that nn/fuse.py fuses."""
    convolutions = [
        *(Conv2D(20, 3, padding="same"), ReLU()),
        *(Conv2D(17, 3), ReLU()),
        *(Conv2D(13, 3), ReLU(), MaxPool2D(2)),
        *(Flatten(), Dense(10)),
    ]
    inner = [*(Conv2D(10, 3, padding="same"), BatchNorm(), ReLU()), *(Conv2D(10, 3, padding="same"), BatchNorm())]
    block = [Conv2D(10, 3), BatchNorm(), ReLU(), Residual(inner), ReLU(), GlobalAvgPool2D(), Dense(10)]
    zoo = {name: Network(layers_of(name)) for name in ("mlp", "lenet", "cnn")}
    # With 11 rows and columns, kernels that `operations` checks serve the three convolutions
    more = {"three convolutions": (convolutions, 11), "residual block": (block, 12)}
    return zoo | {name: Network(layers, (1, side, side)) for name, (layers, side) in more.items()}


def steps(ops: Ops) -> list[tuple[str, Callable[[], list[CheckResult]]]]:
    """Return one check per network as (name, function) pairs."""
    return [(f"gradients of {name}", partial(_check, name, ops)) for name in networks()]


def _check(name: str, ops: Ops) -> list[CheckResult]:
    reference = BatchLoss(networks()[name], float64_reference(devices.load("reference")))
    expected = reference.gradients()
    differences = _result(f"gradients of {name}, by differences", *_differences(reference, expected))
    gradients = BatchLoss(networks()[name], ops).gradients()
    return [_result(f"gradients of {name}", gradients, expected, expected), differences]


def _result(subject: str, found: dict, expected: dict, gradients: dict) -> CheckResult:
    """Compare two sets of arrays, with a tolerance relative to the largest of `gradients` in the same layer."""
    largest: dict[str, float] = {}
    for name, array in gradients.items():
        largest[_layer(name)] = max(largest.get(_layer(name), 0.0), np.abs(array).max())
    errors = {
        name: error_over_tolerance(found[name], expected[name], TOLERANCE * largest[_layer(name)]) for name in found
    }
    worst = max(errors, key=errors.__getitem__)
    failure = f"{worst}: {describe_excess(errors[worst])}" if errors[worst] > 1 else None
    return CheckResult(subject, sum(array.size for array in found.values()), errors[worst], failure)


def _layer(name: str) -> str:
    """Return "residual_1.conv2d_1" for "residual_1/conv2d_1.weight"."""
    return name.replace("/", ".").rpartition(".")[0]


def _differences(reference: "BatchLoss", gradients: dict[str, np.ndarray]) -> tuple[dict, dict, dict]:
    """Return central differences at random elements of each parameter, gradients there, and all gradients."""
    random, differences, gradients_there = np.random.default_rng(SEED), {}, {}
    for name, parameter in reference.network.parameters().items():
        values = parameter.value.reshape(-1)
        elements = random.integers(0, parameter.size, DIFFERENCES)
        differences[name] = np.array([reference.difference(values, element) for element in elements])
        gradients_there[name] = gradients[name].ravel()[elements]
    return differences, gradients_there, gradients


def float64_reference(reference: Ops) -> Ops:
    """Return the reference ops with float64 as the default type of new arrays."""
    functions = {name: function for name, function in vars(reference).items() if callable(function)}
    wide = {
        "empty": lambda shape, dtype=np.float64: reference.empty(shape, dtype),
        "zeros": lambda shape, dtype=np.float64: reference.zeros(shape, dtype),
    }
    return cast(Ops, devices.LoadedOps(reference.device, reference.lanes, functions | wide))


class BatchLoss:
    """The loss of a network on a fixed batch of random images, as a function of its parameters, on a device."""

    def __init__(self, network: Network, ops: Ops):
        random = np.random.default_rng(SEED)
        network.build(ops, IMAGES)
        network.initialise(SEED)
        values = {
            name: (random.standard_normal(parameter.shape) / np.sqrt(parameter.fan_in or 10)).astype(np.float32)
            for name, parameter in network.parameters().items()
        }
        network.set_weights(network.weights() | values)
        self.training = TrainingStep(IMAGES, ops.zeros((1,), np.int64), SEED)
        count = blocks(IMAGES, ops.lanes)
        self.ops, self.network = ops, network
        self.x = ops.empty((count, *network.input_shape, ops.lanes))
        ops.pack(random.standard_normal((IMAGES, *network.input_shape), np.float32), self.x)
        targets = np.full((count, ops.lanes), -1, np.float32)  # -1 in empty lanes
        targets.reshape(-1)[:IMAGES] = random.integers(0, network.classes, IMAGES)
        self.targets, self.losses = ops.upload(targets), ops.empty(targets.shape)
        self.dscores = ops.empty((count, network.classes, ops.lanes))

    def value(self) -> float:
        """Return the mean cross-entropy of the batch."""
        scores = self.network.forward(self.x, self.training)
        self.ops.softmax_cross_entropy(scores, self.targets, IMAGES, 0.0, self.losses, self.dscores)
        return self.ops.download(self.losses).sum() / IMAGES

    def gradients(self) -> dict[str, np.ndarray]:
        """Return the gradient of the loss with respect to each parameter."""
        self.value()
        self.network.backward(self.dscores)
        return {name: self.ops.download(p.gradient) for name, p in self.network.parameters().items()}

    def difference(self, values: np.ndarray, element: int) -> float:
        """Return the central difference of the loss with respect to one element of a parameter's `values`."""
        original = values[element]
        values[element] = original + STEP
        above = self.value()
        values[element] = original - STEP
        below = self.value()
        values[element] = original
        return (above - below) / (2 * STEP)
