"""The layers. Each knows its parameters and its two operations; none knows a device or a batch size.

A layer's fields are what a user chooses, and what the weights file stores. `connect` learns the
shape of its input, `allocate` gets the operations and the memory, `forward` and `backward` compute.
"""

from dataclasses import asdict, dataclass
from math import prod
from typing import ClassVar

from fastdigits.errors import UserError
from fastdigits.nn.initializers import INITIALIZERS
from fastdigits.nn.parameter import Parameter
from fastdigits.ops import conv2d
from fastdigits.ops.interface import Array, Ops

Shape = tuple[int, ...]
MAX_CROPPED = 4096


@dataclass(frozen=True)
class TrainingStep:
    """What a layer must know of a batch that the network learns from, besides the images.

    `count` is the number of images; the lanes beyond them are empty. `step`, int64 (1,) on the device, `seed` and
    `part`, the number of the batch among those that the step learns from, say which random numbers to draw.
    """

    count: int
    step: Array
    seed: int
    part: int = 0


class Layer:
    """What all layers share: shapes, buffers, and no parameters unless a layer says otherwise."""

    parameters: ClassVar[list[Parameter]] = []
    running: ClassVar[list[Parameter]] = []  # kept like parameters, but changed by `forward` and not by an optimiser
    number = 0  # among all layers of the network, also those within others
    applies_relu = False  # its output goes through the ReLU that follows it, in the same operation
    masks_input_gradient = False  # its input comes from such a layer, and its gradient is that before the ReLU

    def connect(self, input_shape: Shape) -> Shape:
        """Take the shape of one image's input and return that of its output."""
        self.input_shape, self.output_shape = input_shape, self.shape_of_output(input_shape)
        return self.output_shape

    def shape_of_output(self, input_shape: Shape) -> Shape:
        """The shape of one image's output."""
        return input_shape

    def allocate(self, ops: Ops, blocks: int, training: bool) -> None:
        """Make the buffers for batches of so many blocks of images."""
        self.ops = ops
        self.y = ops.empty((blocks, *self.output_shape, ops.lanes))
        self.dx = ops.empty((blocks, *self.input_shape, ops.lanes)) if training else None

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        """The output for a batch x, in a buffer that the next call fills anew.

        With `training`, `backward` may follow. Without, the network is merely used, and in a chain that is not fused
        `backward` may follow too, for the gradient of what the layer does in use.
        """
        raise NotImplementedError

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        """Fill the parameters' gradients; return that of the input where it is wanted."""
        raise NotImplementedError

    def multiply_adds(self) -> int:
        """Multiplications with additions that one image costs forwards."""
        return 0

    def children(self) -> tuple[list[str], list["Layer"]]:
        """The names of the layers that this one is made of, and these layers."""
        return [], []

    def config(self) -> dict:
        """What makes this layer again: its type and its fields."""
        return {"type": type(self).__name__, **asdict(self)}


@dataclass(eq=False)
class Conv2D(Layer):
    """Convolution by `filters` kernels of `kernel` x `kernel` (or rows x columns) pixels.

    `padding` is "valid" (none), "same", "full", or the number of zeros on each side; below 0 it is that of pixels
    on each side that are left out.
    """

    filters: int
    kernel: int | tuple[int, int]
    stride: int = 1
    padding: str | int = "valid"
    initializer: str = "he"

    def shape_of_output(self, input_shape: Shape) -> Shape:
        need_pixels(self, input_shape)
        check_positive(self, "filters", "stride")
        check_initializer(self)
        P, Q = pair(self, "kernel")
        if self.padding not in ("valid", "same", "full") and not is_count(self.padding, -MAX_CROPPED):
            raise UserError(f"Conv2D: padding must be valid, same, full or a whole number, not {self.padding!r}.")
        C, H, W = input_shape
        I, self.top = conv2d.output_size(H, P, self.stride, self.padding)
        J, self.left = conv2d.output_size(W, Q, self.stride, self.padding)
        if I < 1 or J < 1:
            raise UserError(f"Conv2D: a kernel of {P} x {Q} does not fit an input of {H} x {W}.")
        fans = {"fan_in": C * P * Q, "fan_out": self.filters * P * Q}
        self.weight = Parameter("weight", (self.filters, C, P, Q), self.initializer, **fans)
        self.bias = Parameter("bias", (self.filters,))
        self.parameters = [self.weight, self.bias]
        return self.filters, I, J

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        self.x = x
        forward = self.ops.conv2d_relu_forward if self.applies_relu else self.ops.conv2d_forward
        forward(x, self.weight.value, self.bias.value, self.stride, self.top, self.left, self.y)
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        place, gradients = (self.stride, self.top, self.left), (self.weight.gradient, self.bias.gradient)
        if input_gradient:
            backward = self.ops.conv2d_backward
            backward(self.x, dy, self.weight.value, *place, self.masks_input_gradient, self.dx, *gradients)
        else:
            self.ops.conv2d_backward_weight(self.x, dy, *place, *gradients)
        return self.dx

    def multiply_adds(self) -> int:
        return prod(self.output_shape) * prod(self.weight.shape[1:])


@dataclass(eq=False)
class Dense(Layer):
    """Every output is a weighted sum of all inputs."""

    units: int
    initializer: str = "he"

    def shape_of_output(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise UserError(f"Dense: needs a flat input, not one of shape {times(input_shape)}; put Flatten before it.")
        check_positive(self, "units")
        check_initializer(self)
        fans = {"fan_in": input_shape[0], "fan_out": self.units}
        self.weight = Parameter("weight", (self.units, *input_shape), self.initializer, **fans)
        self.bias = Parameter("bias", (self.units,))
        self.parameters = [self.weight, self.bias]
        return (self.units,)

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        self.x = x
        forward = self.ops.dense_relu_forward if self.applies_relu else self.ops.dense_forward
        forward(x, self.weight.value, self.bias.value, self.y)
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        self.ops.dense_backward_weight(self.x, dy, self.weight.gradient, self.bias.gradient)
        if input_gradient and self.masks_input_gradient:
            self.ops.dense_backward_input_relu(dy, self.weight.value, self.x, self.dx)
        elif input_gradient:
            self.ops.dense_backward_input(dy, self.weight.value, self.dx)
        return self.dx

    def multiply_adds(self) -> int:
        return self.weight.size


@dataclass(eq=False)
class Flatten(Layer):
    """The pixels of all channels as one list; no number moves."""

    def shape_of_output(self, input_shape: Shape) -> Shape:
        return (prod(input_shape),)

    def allocate(self, ops: Ops, blocks: int, training: bool) -> None:
        self.lanes = ops.lanes

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        return x.reshape(len(x), *self.output_shape, self.lanes)

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        return dy.reshape(len(dy), *self.input_shape, self.lanes)


class _Activation(Layer):
    """A function of each element by itself; the operations see the arrays as vectors (V, L)."""

    operation: ClassVar[str]

    def options(self) -> tuple:
        """What the operation takes besides the arrays."""
        return ()

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        getattr(self.ops, f"{self.operation}_forward")(vectors(x), *self.options(), vectors(self.y))
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        if input_gradient:
            gradients = vectors(self.y), vectors(dy), *self.options(), vectors(self.dx)
            getattr(self.ops, f"{self.operation}_backward")(*gradients)
        return self.dx


@dataclass(eq=False)
class ReLU(_Activation):
    """max(x, 0)."""

    operation = "relu"


@dataclass(eq=False)
class LeakyReLU(_Activation):
    """x where it is positive, else slope x."""

    slope: float = 0.01
    operation = "leaky_relu"

    def shape_of_output(self, input_shape: Shape) -> Shape:
        if not isinstance(self.slope, int | float) or not 0 < self.slope < 1:
            raise UserError(f"LeakyReLU: slope must lie between 0 and 1, not {self.slope!r}.")
        return input_shape

    def options(self) -> tuple:
        return (float(self.slope),)


@dataclass(eq=False)
class Sigmoid(_Activation):
    """1 / (1 + exp(-x))."""

    operation = "sigmoid"


@dataclass(eq=False)
class Tanh(_Activation):
    """The hyperbolic tangent."""

    operation = "tanh"


def vectors(array: Array) -> Array:
    """Any array of activations as the view (V, L)."""
    return array.reshape(-1, array.shape[-1])


def times(shape: Shape) -> str:
    """A shape as it is read aloud."""
    return " x ".join(map(str, shape))


def need_pixels(layer: Layer, input_shape: Shape) -> None:
    """UserError unless the input has channels, rows and columns."""
    if len(input_shape) != 3:
        raise UserError(f"{type(layer).__name__}: needs channels, rows and columns, not an input of {input_shape[0]}.")


def is_count(value: object, least: int) -> bool:
    """Whether it is a whole number from `least` on."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def check_positive(layer: Layer, *names: str) -> None:
    """UserError unless these fields are whole numbers from 1 on."""
    for name in names:
        if not is_count(getattr(layer, name), 1):
            raise UserError(
                f"{type(layer).__name__}: {name} must be a whole number from 1 on, not {getattr(layer, name)!r}."
            )


def check_share(layer: Layer, *names: str) -> None:
    """UserError unless these fields lie between 0 and 1."""
    for name in names:
        value = getattr(layer, name)
        if type(value) not in (int, float) or not 0 < value < 1:
            raise UserError(f"{type(layer).__name__}: {name} must lie between 0 and 1, not {value!r}.")


def check_initializer(layer: Layer) -> None:
    """UserError unless there is such an initialiser."""
    if layer.initializer not in INITIALIZERS:
        raise UserError(
            f"{type(layer).__name__}: initializer must be one of {', '.join(INITIALIZERS)}, not {layer.initializer!r}."
        )


def pair(layer: Layer, name: str) -> tuple[int, int]:
    """A field that is a whole number from 1 on or two of them, as two; else UserError."""
    value = getattr(layer, name)
    sizes = (value, value) if isinstance(value, int) else tuple(value) if isinstance(value, list | tuple) else ()
    if len(sizes) != 2 or not all(is_count(n, 1) for n in sizes):
        raise UserError(
            f"{type(layer).__name__}: {name} must be a whole number from 1 on or two of them, not {value!r}."
        )
    return sizes
