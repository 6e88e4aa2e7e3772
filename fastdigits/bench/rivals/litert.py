"""LiteRT, formerly TensorFlow Lite: the same network with the same weights, run by XNNPACK, for inference only.

Images are (N, H, W, C). Without TensorFlow's converter, the model is written with LiteRT's own classes. As the
converter does, a ReLU becomes part of the operator before it.
"""

from collections.abc import Callable
from importlib.metadata import version as version_of
from math import ceil
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from fastdigits.bench.rivals import channels_last, translation, with_relu
from fastdigits.bench.workload import Contender, Workload
from fastdigits.errors import UserError
from fastdigits.nn import AvgPool2D, Conv2D, Dense, MaxPool2D
from fastdigits.nn.layers import Layer

NAME = "litert"
FILE_MARK = b"TFL3"
SCHEMA_VERSION = 3
FUSING = Conv2D, Dense, MaxPool2D, AvgPool2D  # layers that can compute a ReLU after them


def version() -> str:
    """Return the version of the framework."""
    return version_of("ai-edge-litert")


def inference(workload: Workload, compiled: bool, say: Callable[[str], Any]) -> list[Contender]:
    """Return the contender that computes the scores of the batch with XNNPACK, which LiteRT uses by default."""
    interpreter = Interpreter(model_content=model_of(workload), num_threads=workload.threads)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], channels_last.images(workload))
    output = interpreter.get_output_details()[0]["index"]

    def run(steps: int) -> None:
        for _ in range(steps):
            interpreter.invoke()

    def outputs() -> dict[str, np.ndarray]:
        run(1)
        return {"scores": interpreter.get_tensor(output)}

    return [Contender(NAME, "", run, outputs)]


def model_of(workload: Workload) -> bytes:
    """Return the network with its weights as the content of a .tflite file.

    Raises
    ------
    UserError
        If LAYERS does not have one of its layers, or the padding of a convolution is not supported.
    """
    model, (C, H, W) = _Model(len(workload.images)), workload.network.input_shape
    x = first = model.tensor((H, W, C))
    for layer in workload.network.layers:
        translation(LAYERS, layer, "LiteRT")
    weights = channels_last.weights(workload, outputs_last=False)
    for name, layer, relu in with_relu(workload.network, FUSING):
        constants = [model.constant(weights[f"{name}/{parameter.name}"]) for parameter in layer.parameters]
        x = LAYERS[type(layer).__name__](model, layer, [x, *constants], relu)
    return model.content(first, x)


class _Model:
    """A model under construction; tensors are numbered."""

    def __init__(self, images: int):
        self.images = images
        self.tensors: list[Any] = []
        self.operators: list[Any] = []
        self.buffers = [schema.BufferT()]  # the first is the empty buffer of all tensors that are computed
        self.codes: list[int] = []

    def tensor(self, shape: tuple[int, ...]) -> int:
        """Add a tensor of the given shape for each image."""
        self.tensors.append(schema.TensorT(shape=[self.images, *shape]))
        return len(self.tensors) - 1

    def constant(self, array: np.ndarray) -> int:
        """Add an array of float32 or int32."""
        self.buffers.append(schema.BufferT(data=np.frombuffer(array.tobytes(), np.uint8)))
        kind = schema.TensorType.INT32 if array.dtype == np.int32 else schema.TensorType.FLOAT32
        self.tensors.append(schema.TensorT(shape=list(array.shape), type=kind, buffer=len(self.buffers) - 1))
        return len(self.tensors) - 1

    def operator(self, name: str, inputs: list[int], shape: tuple[int, ...], options: Any = None) -> int:
        """Add an operator with one output of the given shape for each image, and return the output."""
        code, y = getattr(schema.BuiltinOperator, name), self.tensor(shape)
        if code not in self.codes:
            self.codes.append(code)
        kind = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T")) if options else 0
        self.operators.append(
            schema.OperatorT(
                opcodeIndex=self.codes.index(code),
                inputs=inputs,
                outputs=[y],
                builtinOptionsType=kind,
                builtinOptions=options,
            )
        )
        return y

    def content(self, x: int, y: int) -> bytes:
        """Return the serialized model with the input x and the output y."""
        graph = schema.SubGraphT(tensors=self.tensors, inputs=[x], outputs=[y], operators=self.operators)
        codes = [
            schema.OperatorCodeT(deprecatedBuiltinCode=min(code, 127), version=1, builtinCode=code)
            for code in self.codes
        ]
        model = schema.ModelT(version=SCHEMA_VERSION, operatorCodes=codes, subgraphs=[graph], buffers=self.buffers)
        builder = flatbuffers.Builder(0)
        builder.Finish(model.Pack(builder), FILE_MARK)
        return bytes(builder.Output())


def _shape(layer: Layer) -> tuple[int, ...]:
    """Return the shape of the output for one image, with the channels last."""
    if len(layer.output_shape) == 1:
        return layer.output_shape
    C, H, W = layer.output_shape
    return H, W, C


def _activation(relu: bool) -> int:
    kind = schema.ActivationFunctionType
    return kind.RELU if relu else kind.NONE


def _convolution(model: _Model, layer: Conv2D, inputs: list[int], relu: bool) -> int:
    x, *constants = inputs
    pads, padding = layer.pads(), schema.Padding.VALID
    if min(pads) < 0:
        raise UserError("There is no cropping convolution in the comparison with LiteRT.")
    if any(pads) and pads == _same_pads(layer):
        padding = schema.Padding.SAME
    elif any(pads):
        (top, left, bottom, right), (C, H, W) = pads, layer.input_shape
        before_after = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
        shape = (top + H + bottom, left + W + right, C)
        x = model.operator("PAD", [x, model.constant(before_after)], shape, schema.PadOptionsT())
    options = schema.Conv2DOptionsT(padding, layer.stride, layer.stride, _activation(relu))
    return model.operator("CONV_2D", [x, *constants], _shape(layer), options)


def _same_pads(layer: Conv2D) -> tuple[int, int, int, int]:
    """Return the (top, left, bottom, right) that LiteRT's padding SAME means."""
    sizes = zip(layer.input_shape[1:], layer.weight.shape[2:], strict=True)
    rows, columns = (max((ceil(size / layer.stride) - 1) * layer.stride + P - size, 0) for size, P in sizes)
    return rows // 2, columns // 2, rows - rows // 2, columns - columns // 2


def _dense(model: _Model, layer: Dense, inputs: list[int], relu: bool) -> int:
    return model.operator("FULLY_CONNECTED", inputs, _shape(layer), schema.FullyConnectedOptionsT(_activation(relu)))


def _pooling(name: str) -> Callable[..., int]:
    def add(model: _Model, layer: MaxPool2D | AvgPool2D, inputs: list[int], relu: bool) -> int:
        rows, columns = layer.size
        valid, activation = schema.Padding.VALID, _activation(relu)
        options = schema.Pool2DOptionsT(valid, layer.stride, layer.stride, columns, rows, activation)
        return model.operator(name, inputs, _shape(layer), options)

    return add


def _flatten(model: _Model, layer: Layer, inputs: list[int], relu: bool) -> int:
    shape = np.array([model.images, *layer.output_shape], np.int32)
    return model.operator("RESHAPE", [*inputs, model.constant(shape)], layer.output_shape, schema.ReshapeOptionsT())


def _elementwise(name: str, options: Callable[[Any], Any] = lambda layer: None) -> Callable[..., int]:
    return lambda model, layer, inputs, relu: model.operator(name, inputs, _shape(layer), options(layer))


def _silu(model: _Model, layer: Layer, inputs: list[int], relu: bool) -> int:
    gate = model.operator("LOGISTIC", inputs, _shape(layer))
    return model.operator("MUL", [*inputs, gate], _shape(layer), schema.MulOptionsT())


# Each function adds our layer, with the ReLU after it if it can, and returns the tensor of its output
LAYERS: dict[str, Callable[..., int]] = {
    "Conv2D": _convolution,
    "Dense": _dense,
    "MaxPool2D": _pooling("MAX_POOL_2D"),
    "AvgPool2D": _pooling("AVERAGE_POOL_2D"),
    "Flatten": _flatten,
    "ReLU": _elementwise("RELU"),
    "LeakyReLU": _elementwise("LEAKY_RELU", lambda layer: schema.LeakyReluOptionsT(layer.slope)),
    "Sigmoid": _elementwise("LOGISTIC"),
    "Tanh": _elementwise("TANH"),
    "GELU": _elementwise("GELU", lambda layer: schema.GeluOptionsT(approximate=True)),
    "SiLU": _silu,
}
