"""Keras: the source code of a model, and a function that loads the arrays of the other exports.

Keras keeps channels last. The code flattens channels first, so that the weights of dense layers need no permutation.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fastdigits.errors import UserError
from fastdigits.export import Exported, ExportOptions
from fastdigits.export import source as code
from fastdigits.nn import AvgPool2D, BatchNorm, Conv2D, Dense, LocalResponseNorm, MaxPool2D, Network, Residual, sequence
from fastdigits.nn.layers import Layer
from fastdigits.storage.weights import SavedNetwork

FUNCTIONS = {
    "clip": "np.clip({x}, 0, 1)",
    "where": "({x}).astype(np.float64)",
    "round_": "np.round({x})",
    "pad": "np.pad(x, ((0, 0), ({pad}, {pad}), ({pad}, {pad}), (0, 0)))",
}
LRN = '''

def local_response_norm(x, size, alpha, beta, k):
    """Divide by (k + alpha * the sum of the squares in `size` neighboring channels) ** beta."""
    channels, reach = x.shape[-1], size // 2
    squares = ops.pad(ops.square(x), ((0, 0), (0, 0), (0, 0), (reach, reach)))
    total = sum(squares[..., first : first + channels] for first in range(size))
    return x / (k + alpha * total) ** beta
'''


def encode(saved: SavedNetwork, options: ExportOptions) -> Exported:
    """Return the content of the file; see export.encode."""
    network, name = Network.from_config(saved.network), code.name_of(saved)
    C, H, W = network.input_shape
    preparation = saved.normalisation.preparation
    rows, columns = H - 2 * preparation.pad, W - 2 * preparation.pad
    normalised = any(isinstance(layer, LocalResponseNorm) for layer in sequence.walk(network.layers))
    calls = list(model_lines(network.names, network.layers))
    imports = ["layers"] + ["ops"] * any("ops." in line for line in [*calls, LRN * normalised])
    text = f'''"""{code.title(saved, "Keras")}

Load the weights that `fastdigits export` writes as .npz, here {name}.npz:

    network = build()
    load(network, np.load("{name}.npz"))
    scores = network.predict(prepare(pixels))
"""

import keras
import numpy as np
from keras import {", ".join(imports)}

{code.block(code.constants(saved), 0)}
{LRN if normalised else ""}

def build():
    """Return the model that maps prepared images (N, {H}, {W}, {C}) to scores (N, {network.classes})."""
    x = inputs = keras.Input(({H}, {W}, {C}))
{code.block([*calls, "return keras.Model(inputs, x)"], 1)}


def load(model, arrays):
    """Set the weights to arrays by PyTorch's names and in PyTorch's layout."""
    for layer in model.layers:
        keys = [key for key in arrays if key.rpartition(".")[0].replace(".", "_") == layer.name]
        found = {{key.rpartition(".")[2]: arrays[key] for key in keys}}
        if isinstance(layer, layers.Conv2D):
            layer.set_weights([found["weight"].transpose(2, 3, 1, 0), found["bias"]])
        elif isinstance(layer, layers.Dense):
            layer.set_weights([found["weight"].T, found["bias"]])
        elif isinstance(layer, layers.BatchNormalization):
            layer.set_weights([found[key] for key in ("weight", "bias", "running_mean", "running_var")])


def prepare(pixels):
    """Prepare pixels, a uint8 array (N, {rows}, {columns}), for the network."""
    x = pixels[..., np.newaxis] / 255
{code.block([*code.preparation_lines(preparation, **FUNCTIONS), 'return ((x - MEAN) / STD).astype("float32")'], 1)}
'''
    return Exported(text.encode(), f"a model of Keras; export {name}.npz for the weights that its load takes.")


def model_lines(names: Sequence[str], layers: Sequence[Layer], prefix: str = "", x: str = "x") -> Iterator[str]:
    """Yield the lines that apply layers to the tensor `x`.

    Raises
    ------
    UserError
        If LAYERS does not have one of the layers.
    """
    for name, layer in zip(names, layers, strict=True):
        if isinstance(layer, Residual):
            yield from _residual_lines(f"{prefix}{name}", layer, x)
            continue
        kind = type(layer).__name__
        if kind not in LAYERS:
            raise UserError(f"The export to Keras does not know the layer {kind}; use another layer.")
        if isinstance(layer, Conv2D):
            yield from _padding_lines(layer, x)
        named = f', name="{prefix}{name}"' if layer.parameters else ""
        yield f"{x} = {LAYERS[kind](layer).format(x=x, name=named)}"


def _residual_lines(name: str, block: Residual, x: str) -> Iterator[str]:
    """Yield the lines of a block; its layers apply to another tensor, which begins as `x`."""
    names, layers = block.children()
    inner = dict(zip(names, layers, strict=True))
    skip, y = inner.pop("projection", None), "y" if x == "x" else f"{x}y"
    yield f"{y} = {x}"
    yield from model_lines(list(inner), list(inner.values()), f"{name}_", y)
    if skip:
        yield from model_lines(["projection"], [skip], f"{name}_", x)
    yield f"{x} = layers.Add()([{y}, {x}])"


def _padding_lines(layer: Conv2D, x: str) -> Iterator[str]:
    pads = layer.pads()
    if max(pads) > 0:
        yield f"{x} = layers.ZeroPadding2D({_sides([max(pad, 0) for pad in pads])})({x})"
    if min(pads) < 0:
        yield f"{x} = layers.Cropping2D({_sides([max(-pad, 0) for pad in pads])})({x})"


def _sides(sizes: Sequence[int]) -> str:
    """Return (top, left, bottom, right) as an argument of Keras."""
    top, left, bottom, right = sizes
    return code.pair(top, left) if (top, left) == (bottom, right) else f"(({top}, {bottom}), ({left}, {right}))"


def _convolution(layer: Conv2D) -> str:
    O, _, P, Q = layer.weight.shape
    strides = f", {layer.stride}" if layer.stride != 1 else ""
    return f"layers.Conv2D({O}, {code.pair(P, Q)}{strides}{{name}})({{x}})"


def _pooling(name: str) -> Callable[[MaxPool2D | AvgPool2D], str]:
    return lambda layer: f"layers.{name}({code.pair(*layer.size)}, {layer.stride})({{x}})"


def _flatten(layer: Layer) -> str:
    """Move the channels to the front first, as PyTorch and fastdigits have them."""
    return "layers.Flatten()(layers.Permute((3, 1, 2))({x}))" if len(layer.input_shape) == 3 else "{x}"


def _batch_norm(layer: BatchNorm) -> str:
    momentum = round(1 - layer.momentum, 12)
    return f"layers.BatchNormalization(momentum={momentum!r}, epsilon={layer.epsilon!r}{{name}})({{x}})"


def _lrn(layer: LocalResponseNorm) -> str:
    return f"local_response_norm({{x}}, {layer.size}, {layer.alpha!r}, {layer.beta!r}, {layer.k!r})"


def _dense(layer: Dense) -> str:
    return f"layers.Dense({layer.units}{{name}})({{x}})"


# The source code of a layer that is applied to {x}; `model_lines` handles Residual and pads for Conv2D
LAYERS: dict[str, Callable[[Any], str]] = {
    "Conv2D": _convolution,
    "Dense": _dense,
    "MaxPool2D": _pooling("MaxPooling2D"),
    "AvgPool2D": _pooling("AveragePooling2D"),
    "GlobalAvgPool2D": lambda layer: "layers.GlobalAveragePooling2D()({x})",
    "Flatten": _flatten,
    "BatchNorm": _batch_norm,
    "LocalResponseNorm": _lrn,
    "Dropout": lambda layer: f"layers.Dropout({layer.rate!r})({{x}})",
    "ReLU": lambda layer: "ops.relu({x})",
    "LeakyReLU": lambda layer: f"ops.leaky_relu({{x}}, {layer.slope!r})",
    "Sigmoid": lambda layer: "ops.sigmoid({x})",
    "Tanh": lambda layer: "ops.tanh({x})",
    "GELU": lambda layer: "ops.gelu({x}, approximate=True)",
    "SiLU": lambda layer: "ops.silu({x})",
}
