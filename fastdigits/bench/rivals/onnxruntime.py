"""ONNX Runtime: the same network with the same weights as an ONNX graph, for inference only."""

from collections.abc import Callable
from math import pi, sqrt
from typing import Any

import numpy as np
import onnxruntime
from onnx import FunctionProto, TensorProto, helper, numpy_helper

from fastdigits.bench.rivals import bottom_right_padding, translation
from fastdigits.bench.workload import Contender, Workload
from fastdigits.nn import Conv2D, LocalResponseNorm, Residual
from fastdigits.nn.layers import Layer
from fastdigits.nn.sequence import parameter_name

NAME = "onnxruntime"
OPSET, IR_VERSION = 17, 8  # supported by every release of recent years
DOMAIN = "fastdigits"  # of functions that the opset lacks


def version() -> str:
    """Return the version of the framework."""
    return onnxruntime.__version__


def inference(workload: Workload, compiled: bool, say: Callable[[str], Any]) -> list[Contender]:
    """Return the contender that computes the scores of the batch, with all graph optimizations enabled."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = workload.threads, 1
    session = onnxruntime.InferenceSession(graph_of(workload), options, providers=["CPUExecutionProvider"])
    feed = {"x": workload.images}

    def run(steps: int) -> None:
        for _ in range(steps):
            session.run(None, feed)

    return [Contender(NAME, "", run, lambda: {"scores": session.run(None, feed)[0]})]


def graph_of(workload: Workload) -> bytes:
    """Return the network with its weights as a serialized ONNX model.

    Raises
    ------
    UserError
        If LAYERS does not have one of its layers.
    """
    tensors = [numpy_helper.from_array(array, name) for name, array in workload.weights.items()]
    nodes: list[Any] = []
    source = "x"
    for name, layer in zip(workload.network.names, workload.network.layers, strict=True):
        source = _add(name, layer, source, nodes, tensors)
    batch = len(workload.images)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *workload.network.input_shape])
    scores = helper.make_tensor_value_info(source, TensorProto.FLOAT, [batch, workload.network.classes])
    graph = helper.make_graph(nodes, workload.model, [x], [scores], tensors)
    opset = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
    model = helper.make_model(graph, functions=_functions(), opset_imports=opset, ir_version=IR_VERSION)
    return model.SerializeToString()


def _add(name: str, layer: Layer, source: str, nodes: list, tensors: list) -> str:
    """Add the nodes of a layer whose input is the tensor `source`, and return the name of its output."""
    if isinstance(layer, Residual):
        inner = dict(zip(*layer.children(), strict=True))
        skip, y = inner.pop("projection", None), source
        for inner_name, part in inner.items():
            y = _add(f"{name}.{inner_name}", part, y, nodes, tensors)
        skipped = _add(f"{name}.projection", skip, source, nodes, tensors) if skip else source
        nodes.append(helper.make_node("Add", [y, skipped], [name]))
        return name
    operation, attributes = translation(LAYERS, layer, "ONNX Runtime")(layer)
    if isinstance(layer, Conv2D) and min(_pads(layer)) < 0:  # Conv has no negative padding: crop the image first
        top, left, bottom, right = (min(pad, 0) for pad in _pads(layer))
        tensors.append(numpy_helper.from_array(np.array([0, 0, top, left, 0, 0, bottom, right]), f"{name}/crop"))
        nodes.append(helper.make_node("Pad", [source, f"{name}/crop"], [f"{name}/cropped"]))
        source = f"{name}/cropped"
    state = [parameter_name(name, array) for array in (*layer.parameters, *layer.running)]
    nodes.append(helper.make_node(operation, [source, *state], [name], **attributes))
    return name


def _functions() -> list[FunctionProto]:
    """Define the activations that this opset lacks as functions of the model."""
    node, opset = helper.make_node, [helper.make_opsetid("", OPSET)]
    silu = [node("Sigmoid", ["x"], ["gate"]), node("Mul", ["x", "gate"], ["y"])]
    gelu = [
        node("Constant", [], ["cubic"], value_float=0.044715),
        node("Constant", [], ["scale"], value_float=2 * sqrt(2 / pi)),
        node("Mul", ["x", "x"], ["square"]),
        node("Mul", ["square", "x"], ["cube"]),
        node("Mul", ["cubic", "cube"], ["cubic_term"]),
        node("Add", ["x", "cubic_term"], ["sum"]),
        node("Mul", ["scale", "sum"], ["twice_u"]),
        node("Sigmoid", ["twice_u"], ["gate"]),
        node("Mul", ["x", "gate"], ["y"]),
    ]
    bodies = {"SiLU": silu, "GELU": gelu}
    return [helper.make_function(DOMAIN, name, ["x"], ["y"], nodes, opset) for name, nodes in bodies.items()]


def _pads(layer: Conv2D) -> list[int]:
    """Return the padding (top, left, bottom, right)."""
    return [layer.top, layer.left, *bottom_right_padding(layer)]


def _convolution(layer: Conv2D) -> tuple[str, dict[str, Any]]:
    pads, strides = [max(pad, 0) for pad in _pads(layer)], [layer.stride, layer.stride]
    return "Conv", {"kernel_shape": list(layer.weight.shape[2:]), "strides": strides, "pads": pads}


def _pooling(operation: str) -> Callable[[Any], tuple[str, dict[str, Any]]]:
    return lambda layer: (operation, {"kernel_shape": list(layer.size), "strides": [layer.stride, layer.stride]})


def _lrn(layer: LocalResponseNorm) -> tuple[str, dict[str, Any]]:
    strength = {"alpha": float(layer.alpha * layer.size), "beta": float(layer.beta), "bias": float(layer.k)}
    return "LRN", {"size": layer.size, **strength}


# Our layers as an ONNX operation with its attributes; a Workload has no Dropout, and `_add` handles Residual
LAYERS: dict[str, Callable[[Any], tuple[str, dict[str, Any]]]] = {
    "Conv2D": _convolution,
    "Dense": lambda layer: ("Gemm", {"transB": 1}),
    "MaxPool2D": _pooling("MaxPool"),
    "AvgPool2D": _pooling("AveragePool"),
    "GlobalAvgPool2D": lambda layer: ("ReduceMean", {"axes": [2, 3], "keepdims": 0}),
    "Flatten": lambda layer: ("Flatten", {}),
    "BatchNorm": lambda layer: ("BatchNormalization", {"epsilon": float(layer.epsilon)}),
    "LocalResponseNorm": _lrn,
    "ReLU": lambda layer: ("Relu", {}),
    "LeakyReLU": lambda layer: ("LeakyRelu", {"alpha": layer.slope}),
    "Sigmoid": lambda layer: ("Sigmoid", {}),
    "Tanh": lambda layer: ("Tanh", {}),
    "GELU": lambda layer: ("GELU", {"domain": DOMAIN}),
    "SiLU": lambda layer: ("SiLU", {"domain": DOMAIN}),
}
