"""Whole networks: gradients on a device against those of the definitions in float64, and these against differences."""

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
SEED = 3  # of numbers that leave no unit so near to a kink that rounding could take it to the other side
ROUNDING = 1e-5  # of the largest gradient of a layer: that of a bias before a normalisation is 0
STEP = 1e-7  # of central differences: on losses of about 1 in float64 they err by some 1e-9
PLACES = 3  # of each parameter, where differences are taken


def networks() -> dict[str, Network]:
    """Networks that have all chains of nn/fuse.py among them."""
    convolutions = [
        *(Conv2D(12, 3, padding="same"), ReLU()),
        *(Conv2D(13, 3), ReLU()),
        *(Conv2D(12, 3), ReLU(), MaxPool2D(2)),
        *(Flatten(), Dense(10)),
    ]
    inner = [*(Conv2D(10, 3, padding="same"), BatchNorm(), ReLU()), *(Conv2D(10, 3, padding="same"), BatchNorm())]
    block = [Conv2D(10, 3), BatchNorm(), ReLU(), Residual(inner), ReLU(), GlobalAvgPool2D(), Dense(10)]
    zoo = {name: Network(layers_of(name)) for name in ("mlp", "lenet", "cnn")}
    more = {"three convolutions": convolutions, "residual block": block}
    return zoo | {name: Network(layers, (1, 12, 12)) for name, layers in more.items()}


def steps(ops: Ops) -> list[tuple[str, Callable[[], list[CheckResult]]]]:
    """One check for each network."""
    return [(f"gradients of {name}", partial(_check, name, ops)) for name in networks()]


def _check(name: str, ops: Ops) -> list[CheckResult]:
    defined = BatchLoss(networks()[name], float64_reference(devices.load("reference")))
    expected = defined.gradients()
    differences = _result(f"gradients of {name}, by differences", *_differences(defined, expected))
    gradients = BatchLoss(networks()[name], ops).gradients()
    return [_result(f"gradients of {name}", gradients, expected, expected), differences]


def _result(subject: str, found: dict, expected: dict, scale: dict) -> CheckResult:
    largest: dict[str, float] = {}
    for name, array in scale.items():
        largest[_layer(name)] = max(largest.get(_layer(name), 0.0), np.abs(array).max())
    shares = {
        name: error_over_tolerance(found[name], expected[name], ROUNDING * largest[_layer(name)]) for name in found
    }
    worst = max(shares, key=shares.__getitem__)
    failure = f"{worst}: {describe_excess(shares[worst])}" if shares[worst] > 1 else None
    return CheckResult(subject, sum(array.size for array in found.values()), shares[worst], failure)


def _layer(name: str) -> str:
    """That of "residual_1/conv2d_1.weight" is "residual_1.conv2d_1"."""
    return name.replace("/", ".").rpartition(".")[0]


def _differences(defined: "BatchLoss", gradients: dict[str, np.ndarray]) -> tuple[dict, dict, dict]:
    """Central differences at random places of each parameter, the gradients there, and all gradients."""
    random, differences, there = np.random.default_rng(SEED), {}, {}
    for name, parameter in defined.network.parameters().items():
        values = parameter.value.reshape(-1)
        places = random.integers(0, parameter.size, PLACES)
        differences[name] = np.array([defined.difference(values, place) for place in places])
        there[name] = gradients[name].ravel()[places]
    return differences, there, gradients


def float64_reference(definitions: Ops) -> Ops:
    """The definitions with float64 arrays where nothing else is asked for."""
    functions = {name: function for name, function in vars(definitions).items() if callable(function)}
    wide = {
        "empty": lambda shape, dtype=np.float64: definitions.empty(shape, dtype),
        "zeros": lambda shape, dtype=np.float64: definitions.zeros(shape, dtype),
    }
    return cast(Ops, devices.LoadedOps(definitions.device, definitions.lanes, functions | wide))


class BatchLoss:
    """A network with random parameters, built on a device, and a batch of random images; the same every time."""

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

    def loss(self) -> float:
        """The mean cross-entropy of the batch."""
        scores = self.network.forward(self.x, self.training)
        self.ops.softmax_cross_entropy(scores, self.targets, IMAGES, 0.0, self.losses, self.dscores)
        return self.ops.download(self.losses).sum() / IMAGES

    def gradients(self) -> dict[str, np.ndarray]:
        """That of the loss by each parameter."""
        self.loss()
        self.network.backward(self.dscores)
        return {name: self.ops.download(p.gradient) for name, p in self.network.parameters().items()}

    def difference(self, values: np.ndarray, place: int) -> float:
        """The central difference of the loss by one of the values."""
        kept = values[place]
        values[place] = kept + STEP
        above = self.loss()
        values[place] = kept - STEP
        below = self.loss()
        values[place] = kept
        return (above - below) / (2 * STEP)
