"""ONNX: the network in inference mode as a graph of operators, with a free batch dimension."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from fastdigits import __version__
from fastdigits.data.preprocessing import Normalisation
from fastdigits.errors import UserError
from fastdigits.export import Exported, ExportOptions
from fastdigits.export.metadata import KEY, calibration_note, metadata, origin
from fastdigits.export.names import torch_names
from fastdigits.export.pixels import pixel_table
from fastdigits.nn import Conv2D, LocalResponseNorm, Network, Residual
from fastdigits.nn.layers import Layer
from fastdigits.storage.weights import SavedNetwork

OPSET, IR_VERSION = 22, 10  # of ONNX 1.17; ONNX Runtime reads them since 1.20
INPUT, OUTPUT = "images", "scores"
PIXELS, PADS = "pixels", "pixels/pads"  # the input of graphs with preprocessing, and its padding


def encode(saved: SavedNetwork, options: ExportOptions) -> Exported:
    """Return the content of the file; see export.encode."""
    network, pixels = Network.from_config(saved.network), options.preprocessing
    model = model_of(network, saved.weights, saved.model, "N", saved.normalisation if pixels else None, pixels)
    model.producer_name, model.producer_version = "fastdigits", __version__
    model.doc_string = " ".join([f"{origin(saved)}.", _input_note(saved, pixels), calibration_note(saved)]).strip()
    properties = {
        "origin": origin(saved),
        "classes": json.dumps(network.class_names),
        "calibration": calibration_note(saved),
        KEY: metadata(saved),
    }
    helper.set_model_props(model, {name: text for name, text in properties.items() if text})
    note = " ".join([f"opset {OPSET}.", _input_note(saved, pixels), calibration_note(saved)]).strip()
    return Exported(model.SerializeToString(), note)


def model_of(
    network: Network,
    weights: dict[str, np.ndarray],
    name: str,
    batch: int | str = "N",
    normalisation: Normalisation | None = None,
    pixels: str | None = None,
) -> ModelProto:
    """Return a network with its weights as an ONNX model.

    Parameters
    ----------
    network : Network
    weights : dict of float32 arrays
        Network.weights().
    name : str
        Name of the graph.
    batch : int or str
        Number of images, or the name of the free dimension.
    normalisation : Normalisation, optional
        The preprocessing to put into the graph.
    pixels : {"uint8", "float"}, optional
        Type of its input.

    Raises
    ------
    UserError
        If LAYERS does not have one of the layers.
    """
    graph, shape, kind, source = Graph(), network.input_shape, TensorProto.FLOAT, INPUT
    if normalisation:
        source, pad = PIXELS, normalisation.preparation.pad
        shape = (shape[0], *(size - 2 * pad for size in shape[1:]))
        kind = TensorProto.UINT8 if pixels == "uint8" else TensorProto.FLOAT
        _preprocessing(graph, normalisation, kind)
    for torch_name, ours in torch_names(network).items():
        graph.constant(torch_name, weights[ours])
    graph.rename(graph.chain(network.names, network.layers, INPUT), OUTPUT)
    x = helper.make_tensor_value_info(source, kind, [batch, *shape])
    y = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [batch, network.classes])
    content = helper.make_graph(graph.nodes, name, [x], [y], graph.tensors)
    return helper.make_model(content, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


class Graph:
    """The nodes and constants of a graph under construction. Each layer gives a tensor of its own name."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []

    def constant(self, name: str, array: np.ndarray) -> str:
        """Add a constant and return its name."""
        self.tensors.append(numpy_helper.from_array(array, name))
        return name

    def node(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node with one output, and return the name of the output."""
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def chain(self, names: Sequence[str], layers: Sequence[Layer], x: str, prefix: str = "") -> str:
        """Add the nodes of layers to the tensor `x`, and return the name of the output. Dropout needs no node."""
        for name, layer in zip(names, layers, strict=True):
            kind = type(layer).__name__
            if kind == "Dropout":
                continue
            if kind not in LAYERS:
                raise UserError(f"ONNX export does not know the layer {kind}; use another layer.")
            x = LAYERS[kind](self, f"{prefix}{name}", layer, x)
        return x

    def rename(self, old: str, new: str) -> None:
        """Rename the output of a node."""
        for node in self.nodes:
            node.output[:] = [new if name == old else name for name in node.output]
            node.input[:] = [new if name == old else name for name in node.input]


def _preprocessing(graph: Graph, normalisation: Normalisation, kind: int) -> None:
    """Add nodes that compute INPUT from PIXELS: padding, then a table of the normalized value of each level."""
    preparation, x = normalisation.preparation, PIXELS
    if kind == TensorProto.FLOAT:
        limits = [graph.constant(f"pixels/{limit}", np.array(limit, np.float32)) for limit in (0, 255)]
        x = graph.node("Mul", [x, limits[1]], "pixels/scaled")
        x = graph.node("Clip", [x, *limits], "pixels/clipped")
        x = graph.node("Cast", [graph.node("Round", [x], "pixels/rounded")], "pixels/levels", to=TensorProto.UINT8)
    if preparation.pad:
        sides = graph.constant(PADS, _pads_of_images([preparation.pad] * 4))
        background = graph.constant("pixels/background", np.array(preparation.background, np.uint8))
        x = graph.node("Pad", [x, sides, background], "pixels/padded")
    table = graph.constant("pixels/normalized", pixel_table(normalisation))
    graph.node("Gather", [table, graph.node("Cast", [x], "pixels/indices", to=TensorProto.INT32)], INPUT)


def _input_note(saved: SavedNetwork, pixels: str | None) -> str:
    """Describe the input of the graph."""
    if pixels:
        return f"The input is pixels of {pixels} from 0 to {255 if pixels == 'uint8' else 1}."
    mean, std, preparation = saved.normalisation.mean, saved.normalisation.std, saved.normalisation.preparation
    prepared = "prepared pixels" if preparation else "pixels"
    return f"The input is {prepared} from 0 to 1, minus {mean:.6g}, divided by {std:.6g}."


def _convolution(graph: Graph, name: str, layer: Conv2D, x: str) -> str:
    pads = layer.pads()
    if min(pads) < 0:  # Conv has no negative padding: crop the image first
        crop = [min(pad, 0) for pad in pads]
        x = graph.node("Pad", [x, graph.constant(f"{name}/crop", _pads_of_images(crop))], f"{name}/cropped")
    return graph.node(
        "Conv",
        [x, f"{name}.weight", f"{name}.bias"],
        name,
        kernel_shape=list(layer.weight.shape[2:]),
        strides=[layer.stride, layer.stride],
        pads=[max(pad, 0) for pad in pads],
    )


def _pads_of_images(pads: Sequence[int]) -> np.ndarray:
    """Return the padding (top, left, bottom, right) for all four dimensions, as the operator Pad takes it."""
    top, left, bottom, right = pads
    return np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)


def _pooling(operator: str) -> Callable[[Graph, str, Any, str], str]:
    def add(graph: Graph, name: str, layer: Any, x: str) -> str:
        strides = [layer.stride, layer.stride]
        return graph.node(operator, [x], name, kernel_shape=list(layer.size), strides=strides)

    return add


def _global_average(graph: Graph, name: str, layer: Layer, x: str) -> str:
    return graph.node("Flatten", [graph.node("GlobalAveragePool", [x], f"{name}/pixel")], name)


def _batch_norm(graph: Graph, name: str, layer: Any, x: str) -> str:
    state = [f"{name}.{last}" for last in ("weight", "bias", "running_mean", "running_var")]
    return graph.node("BatchNormalization", [x, *state], name, epsilon=float(layer.epsilon))


def _lrn(graph: Graph, name: str, layer: LocalResponseNorm, x: str) -> str:
    strength = {"alpha": float(layer.alpha * layer.size), "beta": float(layer.beta), "bias": float(layer.k)}
    return graph.node("LRN", [x], name, size=layer.size, **strength)


def _residual(graph: Graph, name: str, layer: Residual, x: str) -> str:
    names, layers = layer.children()
    inner = dict(zip(names, layers, strict=True))
    skip = inner.pop("projection", None)
    y = graph.chain(list(inner), list(inner.values()), x, f"{name}.")
    skipped = graph.chain(["projection"], [skip], x, f"{name}.") if skip else x
    return graph.node("Add", [y, skipped], name)


def _silu(graph: Graph, name: str, layer: Layer, x: str) -> str:
    return graph.node("Mul", [x, graph.node("Sigmoid", [x], f"{name}/gate")], name)


def _elementwise(operator: str, **attributes: Any) -> Callable[[Graph, str, Layer, str], str]:
    return lambda graph, name, layer, x: graph.node(operator, [x], name, **attributes)


# Each function adds the nodes of a layer to a tensor and returns the name of the output; Graph.chain omits Dropout
LAYERS: dict[str, Callable[[Graph, str, Any, str], str]] = {
    "Conv2D": _convolution,
    "Dense": lambda graph, name, layer, x: graph.node("Gemm", [x, f"{name}.weight", f"{name}.bias"], name, transB=1),
    "MaxPool2D": _pooling("MaxPool"),
    "AvgPool2D": _pooling("AveragePool"),
    "GlobalAvgPool2D": _global_average,
    "Flatten": _elementwise("Flatten"),
    "BatchNorm": _batch_norm,
    "LocalResponseNorm": _lrn,
    "Residual": _residual,
    "ReLU": _elementwise("Relu"),
    "LeakyReLU": lambda graph, name, layer, x: graph.node("LeakyRelu", [x], name, alpha=float(layer.slope)),
    "Sigmoid": _elementwise("Sigmoid"),
    "Tanh": _elementwise("Tanh"),
    "GELU": _elementwise("Gelu", approximate="tanh"),
    "SiLU": _silu,
}
