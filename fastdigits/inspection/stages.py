"""Split a network into stages, the units of its drawing: arrays of activations with the layers that make them."""

from dataclasses import dataclass, field

from fastdigits.inspection.summary import format_kernel
from fastdigits.nn import sequence
from fastdigits.nn.layers import Conv2D, Dense, Flatten, Layer, Shape
from fastdigits.nn.network import Network
from fastdigits.nn.pooling import AvgPool2D, GlobalAvgPool2D, MaxPool2D, Pool2D
from fastdigits.nn.residual import Residual

# Layers that start a stage, since they change the shape; all others, such as ReLU, belong to the stage before them
STAGE_LAYERS = (Conv2D, AvgPool2D, MaxPool2D, GlobalAvgPool2D, Flatten, Dense)


@dataclass(frozen=True)
class Skip:
    """Skip connection of a residual block.

    Attributes
    ----------
    source : int
        Index of the stage where it starts.
    lines : list of str
        Type and kernel of its projection; empty without a projection.
    parameters : int
        Number of parameters of the projection.
    """

    source: int
    lines: list[str]
    parameters: int


@dataclass
class Stage:
    """Array of activations: the input, or the output of a layer and of the layers after it that keep the shape.

    Attributes
    ----------
    shape : Shape
        Shape of the activations of one image.
    block : int
        Number of the network's layer that the stage belongs to, from 1 on; 0 for the input. All stages of a residual
        block have the same number.
    window : (rows, columns), optional
        Receptive field of one element in the stage before.
    names : list of str
        Names of the layers.
    layers : list of Layer
    lines : list of str
        Types and kernels of the layers.
    parameters : int
        Number of parameters of the layers.
    skip : Skip, optional
        Skip connection that is added to the stage.
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
        """Add a layer."""
        self.names.append(name)
        self.layers.append(layer)
        if isinstance(layer, Residual):
            self.lines.append("+ skip")
        else:
            self.lines += filter(None, (type(layer).__name__, format_kernel(layer)))
            self.parameters += sum(parameter.size for parameter in layer.parameters)


def stages_of(network: Network) -> list[Stage]:
    """Return the stages of a network, the input first."""
    stages = [Stage(network.input_shape, 0, lines=["input"])]
    _extend(stages, network.names, network.layers)
    return stages


def _extend(stages: list[Stage], names: list[str], layers: list[Layer], block: int | None = None) -> None:
    """Add layers to the last stage or to new ones; the first layer of a residual block starts a new stage."""
    start = len(stages)
    for number, (name, layer) in enumerate(zip(names, layers, strict=True), 1):
        layer_block = number if block is None else block
        if isinstance(layer, Residual):
            _add_residual(stages, name, layer, layer_block)
            continue
        if isinstance(layer, STAGE_LAYERS) or (block is not None and len(stages) == start):
            stages.append(Stage(layer.output_shape, layer_block, _window(layer)))
        stages[-1].add(name, layer)


def _add_residual(stages: list[Stage], name: str, layer: Residual, block: int) -> None:
    """Add the stages of a residual block, and its skip connection to the last one."""
    source = len(stages) - 1
    names = [f"{name}.{nested}" for nested in sequence.layer_names(layer.layers)]
    _extend(stages, names, layer.layers, block)
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
