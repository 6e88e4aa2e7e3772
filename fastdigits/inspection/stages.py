"""A network as pictures show it: its arrays of activations one after the other, each with the layers that make it."""

from dataclasses import dataclass, field

from fastdigits.inspection.summary import format_kernel
from fastdigits.nn import sequence
from fastdigits.nn.layers import Conv2D, Dense, Flatten, Layer, Shape
from fastdigits.nn.network import Network
from fastdigits.nn.pooling import AvgPool2D, GlobalAvgPool2D, MaxPool2D, Pool2D
from fastdigits.nn.residual import Residual

# Layers that make an array of another shape; all others, such as ReLU, change the numbers of the one before them
MAKERS = (Conv2D, AvgPool2D, MaxPool2D, GlobalAvgPool2D, Flatten, Dense)


@dataclass(frozen=True)
class Skip:
    """The way around a residual block: from the stage of the number `source`, through a projection or not."""

    source: int
    lines: list[str]
    parameters: int


@dataclass
class Stage:
    """An array of activations, with the layer that makes it and those that change its numbers; or the input.

    `lines` say in words what they are; `window` holds the rows and columns that one element sees of the stage before.
    `skip` is what a residual block adds. Stages of one `block` belong to one layer of the network.
    """

    shape: Shape
    block: int
    window: tuple[int, int] | None = None
    names: list[str] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    parameters: int = 0
    skip: Skip | None = None

    def add(self, name: str, layer: Layer) -> None:
        """One more layer that changes the numbers."""
        self.names.append(name)
        self.layers.append(layer)
        if isinstance(layer, Residual):
            self.lines.append("+ skip")
        else:
            self.lines += filter(None, (type(layer).__name__, format_kernel(layer)))
            self.parameters += sum(parameter.size for parameter in layer.parameters)


def stages_of(network: Network) -> list[Stage]:
    """The stages of a network, the input first."""
    stages = [Stage(network.input_shape, 0, lines=["input"])]
    _extend(stages, network.names, network.layers)
    return stages


def _extend(stages: list[Stage], names: list[str], layers: list[Layer], block: int | None = None) -> None:
    """Add layers to the last stage, or as new ones; within a residual block always as new ones."""
    start = len(stages)
    for number, (name, layer) in enumerate(zip(names, layers, strict=True), 1):
        at = number if block is None else block
        if isinstance(layer, Residual):
            _extend_by_block(stages, name, layer, at)
            continue
        if isinstance(layer, MAKERS) or (block is not None and len(stages) == start):
            stages.append(Stage(layer.output_shape, at, _window(layer)))
        stages[-1].add(name, layer)


def _extend_by_block(stages: list[Stage], name: str, layer: Residual, block: int) -> None:
    """The layers within a block, and the sum with the stage before them."""
    source = len(stages) - 1
    inner = [f"{name}.{inner}" for inner in sequence.layer_names(layer.layers)]
    _extend(stages, inner, layer.layers, block)
    if len(stages) - 1 == source or stages[-1].skip:
        stages.append(Stage(layer.output_shape, block))
    projection = Stage(layer.output_shape, block)
    if layer.skip:
        projection.add("projection", layer.skip)
    stages[-1].skip = Skip(source, projection.lines, projection.parameters)
    stages[-1].add(name, layer)


def _window(layer: Layer) -> tuple[int, int] | None:
    if isinstance(layer, Conv2D):
        _, _, P, Q = layer.weight.shape
        return P, Q
    return layer.size if isinstance(layer, Pool2D) else None
