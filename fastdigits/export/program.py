"""A network as a program: a list of steps that read and write numbered buffers, for exports without a framework.

Batch normalizations are folded into the layers before them as far as possible; dropout and flattening need no step.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from fastdigits.errors import UserError
from fastdigits.export.fold import folded
from fastdigits.nn import BatchNorm, Conv2D, LocalResponseNorm, Network, Residual
from fastdigits.nn.layers import Layer
from fastdigits.nn.sequence import parameter_name
from fastdigits.storage.weights import SavedNetwork

IMAGE = 0  # the buffer that holds the prepared image at first
NOTHING = ("Flatten", "Dropout")  # layers that need no step in inference mode


@dataclass(frozen=True, eq=False)
class Step:
    """One operation on buffers of one image.

    Attributes
    ----------
    name : str
        Of the layer.
    kind : str
        The first entry of a value of KINDS, or "add".
    layer : Layer
    x, y : int
        Buffers to read and to write, which may be the same if `kind` is elementwise.
    other : int or None
        The second buffer to read, of "add".
    input_shape, output_shape : tuple of int
        Of one image.
    settings : dict
        Numbers by the names of the formula, such as "stride".
    arrays : dict of float32 arrays
        Weights by the names of the formula.
    """

    name: str
    kind: str
    layer: Layer
    x: int
    y: int
    other: int | None
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    settings: dict[str, float] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Program:
    """A network in inference mode.

    Attributes
    ----------
    network : Network
        The folded network that it computes; not built.
    weights : dict of float32 arrays
        Those of the folded network.
    steps : list of Step
    sizes : list of int
        The numbers that each buffer must hold.
    """

    network: Network
    weights: dict[str, np.ndarray]
    steps: list[Step]
    sizes: list[int]

    @property
    def kinds(self) -> set[str]:
        """The kinds of the steps."""
        return {step.kind for step in self.steps}

    @property
    def result(self) -> int:
        """The buffer that holds the scores at the end."""
        return self.steps[-1].y if self.steps else IMAGE


def program_of(saved: SavedNetwork, target: str) -> Program:
    """Return the program of a network for a target, such as "C".

    Raises
    ------
    UserError
        If KINDS does not have one of its layers.
    """
    simple = folded(saved)
    network = Network.from_config(simple.network)
    builder = _Builder(simple.weights, target, [prod(network.input_shape)])
    builder.chain(network.names, network.layers, IMAGE, frozenset())
    return Program(network, simple.weights, builder.steps, builder.sizes)


@dataclass
class _Builder:
    """The steps so far. `held` are the buffers that later steps still read."""

    weights: dict[str, np.ndarray]
    target: str
    sizes: list[int]
    steps: list[Step] = field(default_factory=list)

    def chain(
        self, names: Sequence[str], layers: Sequence[Layer], x: int, held: frozenset[int], prefix: str = ""
    ) -> int:
        """Add the steps of layers to the buffer `x`, and return the buffer of the output."""
        for name, layer in zip(names, layers, strict=True):
            kind = type(layer).__name__
            if isinstance(layer, Residual):
                x = self.residual(f"{prefix}{name}", layer, x, held)
            elif kind in KINDS:
                x = self.layer(f"{prefix}{name}", layer, x, held)
            elif kind not in NOTHING:
                raise UserError(f"The export to {self.target} does not know the layer {kind}; use another layer.")
        return x

    def layer(self, name: str, layer: Layer, x: int, held: frozenset[int]) -> int:
        """Add the step of one layer, in place if it is elementwise."""
        kind, settings = KINDS[type(layer).__name__]
        y = x if kind in IN_PLACE and x not in held else self.buffer(layer.output_shape, held | {x})
        values = {
            parameter.name: self.weights[parameter_name(name, parameter)]
            for parameter in (*layer.parameters, *layer.running)
        }
        arrays = _gain_and_offset(layer, **values) if isinstance(layer, BatchNorm) else values
        self.steps.append(
            Step(name, kind, layer, x, y, None, layer.input_shape, layer.output_shape, settings(layer), arrays)
        )
        return y

    def residual(self, name: str, block: Residual, x: int, held: frozenset[int]) -> int:
        """Add the steps of a block and of the sum of its two branches."""
        names, layers = block.children()
        inner = dict(zip(names, layers, strict=True))
        skip = inner.pop("projection", None)
        y = self.chain(list(inner), list(inner.values()), x, held | {x}, f"{name}.")
        skipped = self.chain(["projection"], [skip], x, held | {x, y}, f"{name}.") if skip else x
        total = y if y not in held | {x} else self.buffer(block.output_shape, held | {x, y, skipped})
        shape = block.output_shape
        self.steps.append(Step(name, "add", block, y, total, skipped, shape, shape))
        return total

    def buffer(self, shape: tuple[int, ...], taken: frozenset[int]) -> int:
        """Return the free buffer that must grow least to hold an array of this shape; a new one if none is free."""
        size = prod(shape)
        free = [number for number in range(len(self.sizes)) if number not in taken]
        if not free:
            self.sizes.append(size)
            return len(self.sizes) - 1
        best = min(free, key=lambda number: (max(size - self.sizes[number], 0), self.sizes[number]))
        self.sizes[best] = max(self.sizes[best], size)
        return best


def _gain_and_offset(
    layer: BatchNorm, gamma: np.ndarray, beta: np.ndarray, running_mean: np.ndarray, running_var: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the affine function of each channel that a batch normalization is in inference mode."""
    gain = gamma / np.sqrt(running_var.astype(np.float64) + layer.epsilon)
    return {"gain": gain.astype(np.float32), "offset": (beta - running_mean * gain).astype(np.float32)}


def _convolution(layer: Conv2D) -> dict[str, float]:
    P, Q = layer.weight.shape[2:]
    return {"P": P, "Q": Q, "stride": layer.stride, "top": layer.top, "left": layer.left}


def _pooling(layer: Any) -> dict[str, float]:
    P, Q = layer.size
    return {"P": P, "Q": Q, "stride": layer.stride}


def _global_pooling(layer: Any) -> dict[str, float]:
    P, Q = layer.size
    return {"P": P, "Q": Q, "stride": 1}


def _lrn(layer: LocalResponseNorm) -> dict[str, float]:
    return {"reach": layer.size // 2, "alpha": layer.alpha, "beta": layer.beta, "k": layer.k}


def _none(layer: Layer) -> dict[str, float]:
    return {}


# The kind of the step and its settings for each layer; `_Builder.residual` adds "add"
KINDS: dict[str, tuple[str, Any]] = {
    "Conv2D": ("conv2d", _convolution),
    "Dense": ("dense", _none),
    "MaxPool2D": ("maxpool2d", _pooling),
    "AvgPool2D": ("avgpool2d", _pooling),
    "GlobalAvgPool2D": ("avgpool2d", _global_pooling),
    "BatchNorm": ("scale", _none),
    "LocalResponseNorm": ("lrn", _lrn),
    "ReLU": ("relu", _none),
    "LeakyReLU": ("leaky_relu", lambda layer: {"slope": layer.slope}),
    "Sigmoid": ("sigmoid", _none),
    "Tanh": ("tanh", _none),
    "GELU": ("gelu", _none),
    "SiLU": ("silu", _none),
}
ACTIVATIONS = ("relu", "leaky_relu", "sigmoid", "tanh", "gelu", "silu")
IN_PLACE = ("scale", *ACTIVATIONS)
