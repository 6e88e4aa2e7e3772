"""ONNX models whose operators are those of our layers: one chain, with residual blocks.

`read` finds the input and the output, `Reader.chain` follows the tensors from one to the other, and the functions in
OPERATORS translate one operator each.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import isqrt, prod
from reprlib import repr as shown
from typing import Any, NamedTuple, NoReturn

import numpy as np
from google.protobuf.message import DecodeError
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, load_model_from_string, numpy_helper

from fastdigits.errors import UserError
from fastdigits.export.metadata import KEY
from fastdigits.export.onnx import INPUT, PADS, PIXELS
from fastdigits.importing import Imported
from fastdigits.importing.metadata import parse
from fastdigits.nn import (
    GELU,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    LeakyReLU,
    LocalResponseNorm,
    MaxPool2D,
    Network,
    ReLU,
    Residual,
    Sigmoid,
    SiLU,
    Tanh,
)
from fastdigits.nn.layers import Layer, Shape, format_shape
from fastdigits.nn.sequence import MAX_DEPTH, MAX_LAYERS, walk

MAX_NODES = 10 * MAX_LAYERS
Values = list[np.ndarray]  # the parameters and running statistics of a layer


class Chain(NamedTuple):
    """Layers, and the values of all that have parameters, in the order of sequence.walk."""

    layers: list[Layer]
    values: list[Values]


def decode(content: bytes, layers: list[Layer] | None) -> Imported:
    """Return the network in a file; see importing.decode."""
    if layers:
        raise UserError("it describes its layers itself; leave --model out.")
    try:
        model = load_model_from_string(content)
        checker.check_model(model)
    except (DecodeError, checker.ValidationError, ValueError) as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise UserError(f"it is not a valid ONNX model ({reason}); export it again.") from None
    properties = {one.key: one.value for one in model.metadata_props}
    metadata = parse(properties[KEY]) if KEY in properties else {}
    chain, shape = read(model)
    if len(shape) == 1 and isqrt(shape[0]) ** 2 == shape[0]:  # the images are flattened outside of the graph
        side = isqrt(shape[0])
        chain, shape = Chain([Flatten(), *chain.layers], chain.values), (1, side, side)
    elif len(shape) == 2:
        shape = (1, *shape)
    network = Network(chain.layers, shape)
    state = [
        parameter for layer in with_parameters(network.layers) for parameter in (*layer.parameters, *layer.running)
    ]
    arrays = [array for values in chain.values for array in values]
    value_of = {id(parameter): array for parameter, array in zip(state, arrays, strict=True)}
    return Imported(network.config(), {name: value_of[id(one)] for name, one in network.state().items()}, metadata)


def read(model: ModelProto) -> tuple[Chain, Shape]:
    """Return the connected layers of a checked model and the shape of one image.

    Raises
    ------
    UserError
        If an operator, or what it computes, is not that of a layer. The message names it.
    """
    graph = model.graph
    if len(graph.node) > MAX_NODES:
        raise UserError(f"it has more than {MAX_NODES:,} operators; make the network smaller.")
    reader = Reader(graph.node, {tensor.name: _array(tensor) for tensor in graph.initializer})
    inputs = [value for value in graph.input if value.name not in reader.constants]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise UserError(
            f"it has {len(inputs)} inputs and {len(graph.output)} outputs; give a network with one of each."
        )
    source = inputs[0].name
    preprocessed = source == PIXELS and INPUT in reader.producers  # an export with preprocessing
    if not preprocessed and inputs[0].type.tensor_type.elem_type != TensorProto.FLOAT:
        raise UserError("its input is not float32; export the network without preprocessing.")
    shape = _image_shape(inputs[0])
    if preprocessed:
        pads = reader.constants.get(PADS, np.zeros(8, int))
        source, shape = INPUT, (shape[0], *(size + 2 * int(pads[2]) for size in shape[1:]))
    chain, _ = reader.chain(source, shape, graph.output[0].name)
    return chain, shape


class Reader:
    """Follows the tensors of a graph and translates its operators to layers."""

    def __init__(self, nodes: Iterable[NodeProto], constants: dict[str, np.ndarray]) -> None:
        self.constants = dict(constants)
        self.producers: dict[str, NodeProto] = {}
        self.users: dict[str, list[NodeProto]] = {}
        self.order: dict[int, int] = {}
        for number, node in enumerate(nodes):
            if node.op_type in CONSTANT_OPERATORS and all(name in self.constants for name in node.input):
                operator = Operator(node, self, ())
                try:
                    self.constants[node.output[0]] = CONSTANT_OPERATORS[node.op_type](operator)
                except (IndexError, TypeError, ValueError):
                    operator.refuse("of constants cannot be computed")
                continue
            self.order[id(node)] = number
            self.producers.update(dict.fromkeys(filter(None, node.output), node))
            for name in filter(None, node.input):
                self.users.setdefault(name, []).append(node)

    def chain(
        self, x: str, shape: Shape, end: str, users: Sequence[NodeProto] | None = None, depth: int = 0
    ) -> tuple[Chain, Shape]:
        """Return the layers between two tensors, and the shape of the last one for one image.

        Parameters
        ----------
        x : str
            The first tensor.
        shape : tuple of int
            Of one image at `x`.
        end : str
            The last tensor.
        users : list of NodeProto, optional
            The operators that use `x`; by default all that do.
        depth : int
            Number of blocks that the chain is in.
        """
        chain = Chain([], [])
        if depth > MAX_DEPTH:
            raise UserError(f"it has branches within branches more than {MAX_DEPTH} deep; use another network.")
        while x != end:
            following = self.users.get(x, []) if users is None else list(users)
            users = None
            if not following:
                raise UserError(f"its output {shown(end)} does not follow from its input; use another network.")
            gate = _silu(following)
            if len(following) == 1 or gate:
                layers, values, x = self.layers(gate or following[0], shape, end)
            else:
                layers, values, x = self.block(x, shape, following, depth)
            for layer in layers:
                shape = layer.connect(shape)
            chain.layers.extend(layers)
            chain.values.extend(values)
        return chain, shape

    def layers(self, node: NodeProto, shape: Shape, end: str) -> tuple[list[Layer], list[Values], str]:
        """Translate an operator; return its layers, their values and the tensor after them."""
        operator = Operator(node, self, shape, end)
        if node.domain not in ("", "ai.onnx") or node.op_type not in OPERATORS:
            operator.refuse("is none that a layer computes")
        used = [name for name in node.output[1:] if name and (name == end or name in self.users)]
        if used:
            operator.refuse("has a second output that is used")
        layers, values = OPERATORS[node.op_type](operator)
        return layers, values, operator.output

    def block(self, x: str, shape: Shape, users: list[NodeProto], depth: int) -> tuple[list[Layer], list[Values], str]:
        """Translate a residual block that begins at the tensor `x`, which several operators use."""
        joins: dict[int, tuple[NodeProto, str, NodeProto | None]] = {}
        for node in users:
            if self._adds_tensors(node):
                joins[id(node)] = (node, x, None)
            elif node.op_type == "Conv":
                after = self.users.get(node.output[0], [])
                if len(after) == 1 and self._adds_tensors(after[0]) and after[0] not in users:
                    joins[id(after[0])] = (after[0], node.output[0], node)  # the projection, if it is the last one
        if not joins:
            raise UserError(f"its branches after the tensor {shown(x)} are no residual block; use another network.")
        join, skipped, projection = joins[max(joins, key=lambda key: self.order[key])]
        if list(join.input) == [x, x]:
            return [Residual([])], [], join.output[0]
        end = next(name for name in join.input if name != skipped)
        rest = [node for node in users if node is not join and node is not projection]
        inner, _ = self.chain(x, shape, end, rest, depth + 1)
        block = Residual(inner.layers, projection is not None)
        block.connect(shape)
        values = list(inner.values)
        if projection is not None:
            operator = Operator(projection, self, shape)
            (skip, *_), projected = OPERATORS["Conv"](operator)
            if not (
                isinstance(skip, Conv2D)
                and isinstance(block.skip, Conv2D)
                and (skip.kernel, skip.stride) == ((1, 1), block.skip.stride)
                and (skip.top, skip.left, skip.output_shape) == (0, 0, block.output_shape)
            ):
                operator.refuse("is no 1 x 1 convolution that maps the input of a residual block to its output")
            values += projected
        return [block], values, join.output[0]

    def _adds_tensors(self, node: NodeProto) -> bool:
        return node.op_type == "Add" and not any(name in self.constants for name in node.input)


@dataclass
class Operator:
    """A node of the graph that is applied to images.

    Parameters
    ----------
    node : NodeProto
    reader : Reader
    shape : tuple of int
        Of the input of one image.
    end : str
        The last tensor of the chain.
    """

    node: NodeProto
    reader: Reader
    shape: Shape
    end: str = ""

    def __post_init__(self) -> None:
        self.attributes = {one.name: helper.get_attribute_value(one) for one in self.node.attribute}
        self.output = self.node.output[0]  # of this node, or of those after it that belong to the same layer

    def refuse(self, why: str) -> NoReturn:
        """Raise a UserError that names the operator."""
        name = self.node.name or self.node.output[0]
        raise UserError(f"its operator {self.node.op_type} ({shown(name)}) {why}; use another network.")

    def attribute(self, name: str, default: Any) -> Any:
        """Return an attribute; a float gets the shortest digits that tell it from other numbers of float32."""
        value = self.attributes.get(name, default)
        value = value.decode(errors="replace") if isinstance(value, bytes) else value
        return float(str(np.float32(value))) if isinstance(value, float) else value

    def demand(self, **expected: Any) -> None:
        """Refuse the operator unless its attributes, where it has them, have these values."""
        for name, value in expected.items():
            if self.attribute(name, value) != value:
                self.refuse(f"has {name} = {shown(self.attribute(name, value))}, which no layer has")

    def has(self, number: int) -> bool:
        """Return whether an optional input is there."""
        return len(self.node.input) > number and bool(self.node.input[number])

    def constant(self, number: int) -> np.ndarray:
        """Return an input that must be constant."""
        name = self.node.input[number]
        if name not in self.reader.constants:
            self.refuse(f"has an input {shown(name)} that is computed instead of constant")
        return self.reader.constants[name]

    def weights(self, number: int, shape: Shape) -> np.ndarray:
        """Return a constant as float32 of a shape, to which a single number is repeated."""
        array = self.constant(number)
        if array.dtype.kind != "f":
            self.refuse(f"has weights of type {array.dtype}")
        single = array.size == 1 and sum(size != 1 for size in shape) <= 1
        if not single and _without_leading_ones(array.shape) != _without_leading_ones(shape):
            self.refuse(f"has weights of {format_shape(array.shape)} where {format_shape(shape)} fit")
        return np.ascontiguousarray(np.broadcast_to(array.reshape(-1), shape) if single else array.reshape(shape), "f4")

    def only_user(self, kind: str) -> NodeProto | None:
        """Return the operator after this one if it is the only one and of a kind."""
        users = self.reader.users.get(self.output, [])
        return users[0] if len(users) == 1 and users[0].op_type == kind and self.output != self.end else None

    def bias_after(self, shape: Shape) -> np.ndarray | None:
        """Return the constant of this shape that the Add after this operator adds, if any; the layer then does both."""
        node = self.only_user("Add")
        if node is None:
            return None
        numbers = [number for number in (0, 1) if node.input[number] in self.reader.constants]
        if not numbers or prod(self.reader.constants[node.input[numbers[0]]].shape) not in (1, prod(shape)):
            return None
        following = Operator(node, self.reader, self.shape)
        self.output = node.output[0]
        return following.weights(numbers[0], (1, *shape)).reshape(-1)

    def pixels(self) -> tuple[int, int, int]:
        """Return channels, rows and columns of the input."""
        if len(self.shape) != 3:
            self.refuse(f"is applied to images of {format_shape(self.shape)} instead of channels, rows and columns")
        return self.shape[0], self.shape[1], self.shape[2]

    def stride(self) -> int:
        """Return the stride, which must be the same for rows and columns."""
        strides = set(self.attribute("strides", [1, 1]))
        if len(strides) != 1:
            self.refuse("has different strides for rows and columns")
        return int(strides.pop())

    def pads(self, kernel: Sequence[int], stride: int) -> tuple[int, int, int, int]:
        """Return the padding (top, left, bottom, right)."""
        kind = self.attribute("auto_pad", "NOTSET")
        if kind not in ("SAME_UPPER", "SAME_LOWER"):
            pads = self.attribute("pads", [0, 0, 0, 0]) if kind == "NOTSET" else [0, 0, 0, 0]
            if len(pads) != 4:
                self.refuse("is not two-dimensional")
            return pads[0], pads[1], pads[2], pads[3]
        sides = []
        for size, length in zip(self.pixels()[1:], kernel, strict=True):
            total = max((-(-size // stride) - 1) * stride + length - size, 0)
            sides.append((total // 2, total - total // 2)[:: 1 if kind == "SAME_UPPER" else -1])
        (top, bottom), (left, right) = sides
        return top, left, bottom, right


def _convolution(operator: Operator, more: Sequence[int] = (0, 0, 0, 0)) -> tuple[list[Layer], list[Values]]:
    """Translate Conv, whose images are padded with `more` before."""
    C, H, W = operator.pixels()
    weight = operator.constant(1)
    if weight.ndim != 4:
        operator.refuse("is not two-dimensional")
    operator.demand(group=1, dilations=[1, 1])
    O, _, P, Q = weight.shape
    weight = operator.weights(1, (O, C, P, Q))
    stride = operator.stride()
    pads = [a + b for a, b in zip(operator.pads((P, Q), stride), more, strict=True)]
    top, left, bottom, right = pads
    expected = (H + top + bottom - P) // stride + 1, (W + left + right - Q) // stride + 1, top, left
    bias = operator.weights(2, (O,)) if operator.has(2) else operator.bias_after((O, 1, 1))
    values = [weight, np.zeros(O, np.float32) if bias is None else bias]
    for padding in ("valid" if not any(pads) else top, "same", "full"):
        layer = Conv2D(O, (P, Q), stride, padding)
        try:
            _, I, J = layer.connect((C, H, W))
        except UserError:
            continue
        if (I, J, layer.top, layer.left) == expected:
            return [layer], [values]
    return operator.refuse(f"has the padding {pads} (top, left, bottom, right), which no layer has")


def _pad(operator: Operator) -> tuple[list[Layer], list[Values]]:
    """Translate Pad before Conv: one layer does both."""
    operator.pixels()
    operator.demand(mode="constant")
    pads = operator.constant(1) if operator.has(1) else np.array(operator.attribute("pads", []), int)
    value = operator.constant(2) if operator.has(2) else operator.attribute("value", 0.0)
    axes = operator.constant(3).reshape(-1) if operator.has(3) else np.arange(4)
    node = operator.only_user("Conv")
    if node is None or np.any(value) or pads.size != 2 * axes.size or pads.dtype.kind != "i":
        operator.refuse("is not followed by a convolution alone, or does not pad with zeros")
    sides = np.zeros((2, 4), int)
    sides[:, axes % 4] = pads.reshape(2, -1)
    if sides[:, :2].any():
        operator.refuse("changes the number of images or channels")
    following = Operator(node, operator.reader, operator.shape, operator.end)
    if following.attribute("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        operator.refuse("is followed by a convolution with automatic padding")
    found = _convolution(following, [int(sides[end, axis]) for end in (0, 1) for axis in (2, 3)])
    operator.output = following.output
    return found


def _dense(operator: Operator) -> tuple[list[Layer], list[Values]]:
    operator.demand(transA=0)
    weight = operator.constant(1)
    if len(operator.shape) != 1 or weight.ndim != 2:
        operator.refuse("is not applied to one vector for each image")
    inputs, transposed = operator.shape[0], bool(operator.attribute("transB", 0))
    units = weight.shape[0 if transposed else 1]
    weight = operator.weights(1, (units, inputs) if transposed else (inputs, units))
    weight = weight if transposed else weight.T
    if operator.node.op_type == "MatMul":
        bias = operator.bias_after((units,))
    else:
        bias = operator.weights(2, (1, units)).reshape(units) if operator.has(2) else None
    bias = np.zeros(units, np.float32) if bias is None else bias
    scales = np.float32(operator.attribute("alpha", 1.0)), np.float32(operator.attribute("beta", 1.0))
    return [Dense(units)], [[np.ascontiguousarray(weight * scales[0]), bias * scales[1]]]


def _pooling(kind: type[Layer]) -> Callable[["Operator"], tuple[list[Layer], list[Values]]]:
    def translate(operator: Operator) -> tuple[list[Layer], list[Values]]:
        C, H, W = operator.pixels()
        window = operator.attribute("kernel_shape", [])
        if len(window) != 2:
            operator.refuse("is not two-dimensional")
        operator.demand(dilations=[1, 1])
        stride = operator.stride()
        if any(operator.pads(window, stride)):
            operator.refuse("has padding, which pooling layers do not have")
        rest = [(size - length) % stride for size, length in zip((H, W), window, strict=True)]
        if operator.attribute("ceil_mode", 0) and any(rest):
            operator.refuse("pools windows that are not whole")
        return [kind(tuple(window), stride)], []  # type: ignore[call-arg]  # both kinds have these fields

    return translate


def _global_average(operator: Operator) -> tuple[list[Layer], list[Values]]:
    C, H, W = operator.pixels()
    flattens = operator.node.op_type == "ReduceMean" and not operator.attribute("keepdims", 1)
    if operator.node.op_type == "ReduceMean":
        axes = operator.constant(1).reshape(-1) if operator.has(1) else operator.attribute("axes", [])
        if sorted(int(axis) % 4 for axis in axes) != [2, 3]:
            operator.refuse("is not the mean over rows and columns")
    for kind in ("Flatten", "Reshape", "Squeeze"):
        node = None if flattens else operator.only_user(kind)
        if node is not None:
            following = Operator(node, operator.reader, (C, 1, 1))
            OPERATORS[kind](following)
            operator.output, flattens = following.output, True
    return [GlobalAvgPool2D() if flattens else AvgPool2D((H, W), 1)], []


def _flatten(operator: Operator) -> tuple[list[Layer], list[Values]]:
    if operator.attribute("axis", 1) not in (1, -len(operator.shape)):
        operator.refuse("does not make one vector of each image")
    return ([] if len(operator.shape) == 1 else [Flatten()]), []


def _reshape(operator: Operator) -> tuple[list[Layer], list[Values]]:
    sizes = operator.constant(1).reshape(-1) if operator.has(1) else np.array(operator.attribute("shape", []))
    size = prod(operator.shape)
    if len(sizes) != 2 or (sizes[0] > 1 and sizes[1] == -1) or sizes[1] not in (-1, size):
        operator.refuse("does not make one vector of each image")
    return ([] if len(operator.shape) == 1 else [Flatten()]), []


def _squeeze(operator: Operator) -> tuple[list[Layer], list[Values]]:
    axes = operator.constant(1).reshape(-1) if operator.has(1) else operator.attribute("axes", [])
    if sorted(int(axis) % 4 for axis in axes) != [2, 3] or operator.shape[1:] != (1, 1):
        operator.refuse("does not make one vector of each image")
    return [Flatten()], []


def _batch_norm(operator: Operator) -> tuple[list[Layer], list[Values]]:
    operator.demand(training_mode=0, is_test=1, spatial=1)
    values = [operator.weights(number, operator.shape[:1]) for number in range(1, 5)]
    momentum = float(str(np.float32(1 - operator.attribute("momentum", 0.9))))
    layer = BatchNorm(momentum if 0 < momentum < 1 else 0.1, operator.attribute("epsilon", 1e-5))
    return [layer], [values]


def _lrn(operator: Operator) -> tuple[list[Layer], list[Values]]:
    size = operator.attribute("size", 0)
    alpha = operator.attribute("alpha", 1e-4) / max(size, 1)
    return [LocalResponseNorm(size, alpha, operator.attribute("beta", 0.75), operator.attribute("bias", 1.0))], []


def _dropout(operator: Operator) -> tuple[list[Layer], list[Values]]:
    if operator.has(2) and operator.constant(2).any():
        operator.refuse("drops out in inference, too")
    rates = operator.constant(1).reshape(-1) if operator.has(1) else [operator.attribute("ratio", 0.5)]
    rate = float(str(np.float32(rates[0]))) if len(rates) == 1 else operator.refuse("has several rates")
    return [Dropout(rate)] if 0 < rate < 1 else [], []


def _gelu(operator: Operator) -> tuple[list[Layer], list[Values]]:
    if operator.attribute("approximate", "none") != "tanh":
        operator.refuse("is not the approximation by tanh, which the layer GELU computes")
    return [GELU()], []


def _swish(operator: Operator) -> tuple[list[Layer], list[Values]]:
    operator.demand(alpha=1.0)
    return [SiLU()], []


def _product(operator: Operator) -> tuple[list[Layer], list[Values]]:
    gates = [operator.reader.producers.get(name) for name in operator.node.input]
    if not any(gate and gate.op_type == "Sigmoid" and gate.input[0] in operator.node.input for gate in gates):
        operator.refuse("is not the product of a tensor and its sigmoid")
    return [SiLU()], []


def _last_softmax(operator: Operator) -> tuple[list[Layer], list[Values]]:
    """Leave out a softmax at the end, which changes no prediction: scores are what our networks compute."""
    if operator.output != operator.end or len(operator.shape) != 1 or operator.attribute("axis", -1) not in (1, -1):
        operator.refuse("is not at the end of the network")
    return [], []


def _layer(make: Callable[[], Layer]) -> Callable[[Operator], tuple[list[Layer], list[Values]]]:
    return lambda operator: ([make()], [])


# Each function translates an operator to layers and the values of those that have parameters
OPERATORS: dict[str, Callable[[Operator], tuple[list[Layer], list[Values]]]] = {
    "Conv": _convolution,
    "Pad": _pad,
    "Gemm": _dense,
    "MatMul": _dense,
    "MaxPool": _pooling(MaxPool2D),
    "AveragePool": _pooling(AvgPool2D),
    "GlobalAveragePool": _global_average,
    "ReduceMean": _global_average,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "BatchNormalization": _batch_norm,
    "LRN": _lrn,
    "Dropout": _dropout,
    "Identity": lambda operator: ([], []),
    "Relu": _layer(ReLU),
    "LeakyRelu": lambda operator: ([LeakyReLU(operator.attribute("alpha", 0.01))], []),
    "Sigmoid": _layer(Sigmoid),
    "Tanh": _layer(Tanh),
    "Gelu": _gelu,
    "Swish": _swish,
    "Mul": _product,
    "Softmax": _last_softmax,
    "LogSoftmax": _last_softmax,
}


def _constant_node(operator: Operator) -> np.ndarray:
    for name, value in operator.attributes.items():
        if name == "value":
            return _array(value)
        if name in ("value_float", "value_floats"):
            return np.array(value, np.float32)
        if name in ("value_int", "value_ints"):
            return np.array(value, np.int64)
    return operator.refuse("is no number")


def _constant_reshape(operator: Operator) -> np.ndarray:
    array, sizes = operator.constant(0), operator.constant(1).reshape(-1)
    return array.reshape([array.shape[axis] if size == 0 else int(size) for axis, size in enumerate(sizes)])


# Operators that are computed if all their inputs are constant
CONSTANT_OPERATORS: dict[str, Callable[[Operator], np.ndarray]] = {
    "Constant": _constant_node,
    "Identity": lambda operator: operator.constant(0),
    "Reshape": _constant_reshape,
    "Transpose": lambda operator: operator.constant(0).transpose(operator.attribute("perm", None)),
}


def _silu(users: list[NodeProto]) -> NodeProto | None:
    """Return the product if the users of a tensor x compute x * sigmoid(x)."""
    if {node.op_type for node in users} != {"Sigmoid", "Mul"} or len(users) != 2:
        return None
    gate, product = sorted(users, key=lambda node: node.op_type == "Mul")
    return product if set(product.input) == {gate.input[0], gate.output[0]} else None


def _array(tensor: TensorProto) -> np.ndarray:
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise UserError("its weights are in another file; export it with all weights in one file.")
    try:
        return numpy_helper.to_array(tensor)
    except (KeyError, TypeError, ValueError):
        raise UserError(f"its tensor {shown(tensor.name)} is damaged; export it again.") from None


def _without_leading_ones(shape: Shape) -> Shape:
    return next((shape[first:] for first, size in enumerate(shape) if size != 1), ())


def _image_shape(value: Any) -> Shape:
    """Return the shape of one image of an input; its first dimension is the batch."""
    sizes = [size.dim_value for size in value.type.tensor_type.shape.dim]
    if len(sizes) < 2 or min(sizes[1:]) < 1:
        raise UserError("its input has a free size other than the batch; export it for images of 28 x 28 pixels.")
    return tuple(sizes[1:])


def with_parameters(layers: list[Layer]) -> list[Layer]:
    """Return the layers that have values in a Chain, in the same order."""
    return [layer for layer in walk(layers) if not layer.children()[1] and layer.parameters]
