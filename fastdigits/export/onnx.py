"""ONNX: the network in inference mode as a graph of operators, with a free batch dimension."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from fastdigits.errors import UserError
from fastdigits.export.names import torch_names
from fastdigits.nn import Conv2D, LocalResponseNorm, Network, Residual
from fastdigits.nn.layers import Layer

OPSET, IR_VERSION = 22, 10  # of ONNX 1.17; ONNX Runtime reads them since 1.20
INPUT, OUTPUT = "images", "scores"


def model_of(network: Network, weights: dict[str, np.ndarray], name: str, batch: int | str = "N") -> ModelProto:
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

    Raises
    ------
    UserError
        If LAYERS does not have one of the layers.
    """
    graph = Graph()
    for torch_name, ours in torch_names(network).items():
        graph.constant(torch_name, weights[ours])
    graph.rename(graph.chain(network.names, network.layers, INPUT), OUTPUT)
    x = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [batch, *network.input_shape])
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
