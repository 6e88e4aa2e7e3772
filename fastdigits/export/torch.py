"""PyTorch: the source code of a module whose load_state_dict takes the arrays of the other exports."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fastdigits.errors import UserError
from fastdigits.export import Exported, ExportOptions
from fastdigits.export import source as code
from fastdigits.nn import BatchNorm, Conv2D, LocalResponseNorm, Network, Residual, sequence
from fastdigits.nn.layers import Layer
from fastdigits.storage.weights import SavedNetwork

FUNCTIONS = {
    "clip": "({x}).clamp(0, 1)",
    "where": "({x}).double()",
    "round_": "torch.round({x})",
    "pad": "nn.functional.pad(x, ({pad}, {pad}, {pad}, {pad}))",
}
RESIDUAL = '''

class Residual(nn.Sequential):
    """The output of the layers plus the input, or plus its projection."""

    def forward(self, x):
        y = skipped = x
        for name, layer in self.named_children():
            if name == "projection":
                skipped = layer(x)
            else:
                y = layer(y)
        return y + skipped
'''


def encode(saved: SavedNetwork, options: ExportOptions) -> Exported:
    """Return the content of the file; see export.encode."""
    network, name = Network.from_config(saved.network), code.name_of(saved)
    C, H, W = network.input_shape
    preparation = saved.normalisation.preparation
    rows, columns = H - 2 * preparation.pad, W - 2 * preparation.pad
    residual = any(isinstance(layer, Residual) for layer in sequence.walk(network.layers))
    text = f'''"""{code.title(saved, "PyTorch")}

Load the weights that `fastdigits export` writes as .safetensors, here {name}.safetensors:

    from safetensors.torch import load_file

    network = Network()
    network.load_state_dict(load_file("{name}.safetensors"))
    network.eval()
    scores = network(prepare(pixels))
"""

from collections import OrderedDict

import torch
from torch import nn

{code.block(code.constants(saved), 0)}
{RESIDUAL if residual else ""}

class Network(nn.Sequential):
    """Map prepared images (N, {C}, {H}, {W}) to scores (N, {network.classes})."""

    def __init__(self):
        super().__init__(
            OrderedDict(
{code.block(module_lines(network.names, network.layers), 4)}
            )
        )


def prepare(pixels):
    """Prepare pixels, a uint8 tensor (N, {rows}, {columns}), for the network."""
    x = pixels[:, None].to(torch.float64) / 255
{code.block([*code.preparation_lines(preparation, **FUNCTIONS), "return ((x - MEAN) / STD).float()"], 1)}
'''
    weights = f"export {name}.safetensors for the weights that its load_state_dict takes."
    return Exported(text.encode(), f"a module of PyTorch; {weights}")


def module_lines(names: Sequence[str], layers: Sequence[Layer]) -> Iterator[str]:
    """Yield the lines that define layers as arguments of OrderedDict.

    Raises
    ------
    UserError
        If LAYERS does not have one of the layers.
    """
    for name, layer in zip(names, layers, strict=True):
        kind = type(layer).__name__
        if isinstance(layer, Residual):
            yield f"{name}=Residual("
            yield f"{code.INDENT}OrderedDict("
            yield from (2 * code.INDENT + line for line in module_lines(*layer.children()))
            yield f"{code.INDENT})"
            yield "),"
            continue
        if kind not in LAYERS:
            raise UserError(f"The export to PyTorch does not know the layer {kind}; use another layer.")
        if isinstance(layer, Conv2D) and not _is_symmetric(layer):
            top, left, bottom, right = layer.pads()
            yield f"{name}_padding=nn.ZeroPad2d(({left}, {right}, {top}, {bottom})),"
        yield f"{name}={LAYERS[kind](layer)},"


def _is_symmetric(layer: Conv2D) -> bool:
    """Whether nn.Conv2d itself can add the padding."""
    top, left, bottom, right = layer.pads()
    return (top, left) == (bottom, right) and min(top, left) >= 0


def _convolution(layer: Conv2D) -> str:
    O, C, P, Q = layer.weight.shape
    options = f", stride={layer.stride}" if layer.stride != 1 else ""
    if _is_symmetric(layer) and (layer.top or layer.left):
        options += f", padding={code.pair(layer.top, layer.left)}"
    return f"nn.Conv2d({C}, {O}, {code.pair(P, Q)}{options})"


def _pooling(name: str) -> Callable[[Any], str]:
    return lambda layer: f"nn.{name}({code.pair(*layer.size)}, {layer.stride})"


def _batch_norm(layer: BatchNorm) -> str:
    dimensions = 2 if len(layer.input_shape) == 3 else 1
    return f"nn.BatchNorm{dimensions}d({layer.input_shape[0]}, eps={layer.epsilon!r}, momentum={layer.momentum!r})"


def _lrn(layer: LocalResponseNorm) -> str:
    return f"nn.LocalResponseNorm({layer.size}, {layer.alpha * layer.size!r}, {layer.beta!r}, {layer.k!r})"


# The source code of a layer; `module_lines` handles Residual
LAYERS: dict[str, Callable[[Any], str]] = {
    "Conv2D": _convolution,
    "Dense": lambda layer: f"nn.Linear({layer.weight.shape[1]}, {layer.weight.shape[0]})",
    "MaxPool2D": _pooling("MaxPool2d"),
    "AvgPool2D": _pooling("AvgPool2d"),
    "GlobalAvgPool2D": lambda layer: "nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())",
    "Flatten": lambda layer: "nn.Flatten()",
    "BatchNorm": _batch_norm,
    "LocalResponseNorm": _lrn,
    "Dropout": lambda layer: f"nn.Dropout({layer.rate!r})",
    "ReLU": lambda layer: "nn.ReLU()",
    "LeakyReLU": lambda layer: f"nn.LeakyReLU({layer.slope!r})",
    "Sigmoid": lambda layer: "nn.Sigmoid()",
    "Tanh": lambda layer: "nn.Tanh()",
    "GELU": lambda layer: 'nn.GELU(approximate="tanh")',
    "SiLU": lambda layer: "nn.SiLU()",
}
