"""Layers: shapes, parameters, forward and backward passes. They are independent of the device and the batch size.

The fields of a layer are its options; weights files store them. `connect` sets the shapes and creates the
parameters, `allocate` sets the operations and allocates the buffers, `forward` and `backward` compute.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, is_dataclass
from math import prod
from reprlib import repr as shown
from typing import Any, ClassVar

from fastdigits.errors import UserError
from fastdigits.nn.parameter import Parameter
from fastdigits.nn.registry import INITIALIZERS
from fastdigits.ops import conv2d
from fastdigits.ops.interface import Array, Ops

Shape = tuple[int, ...]
MAX_CROPPED = 4096  # rows or columns that a negative padding crops on each side


@dataclass(frozen=True)
class TrainingStep:
    """The batch that a training step runs on, and the keys of its random numbers.

    Parameters
    ----------
    count : int
        Number of images. The lanes after the last image are empty.
    step : int64 (1,), on the device
        Number of the training step. Together with `seed` and `part` it selects the random numbers.
    seed : int
    part : int
        Index of the batch among the batches of the training step.
    """

    count: int
    step: Array
    seed: int
    part: int = 0


class Layer:
    """Base class of all layers. By default a layer has no parameters and keeps the shape of its input.

    A layer holds its parameters, its buffers and the input of the last `forward`, which `backward` needs. The same
    object must therefore not occur twice in a chain, and two threads must not use it at the same time. `Network` and
    `Residual` copy the layers that they are given, so a list passed to them may repeat an object.

    To write a layer of your own, derive from this class, or from `Activation` for an elementwise function. If it has
    options, make it a dataclass. If `forward` and `backward` compute with operations only, set `only_operations` in the
    class, so that training steps can be recorded and replayed, which is faster. See `fastdigits.extend`.
    """

    only_operations: ClassVar[bool] = False  # of a class outside of the package: whether steps may be replayed
    parameters: Sequence[Parameter] = ()
    running: Sequence[Parameter] = ()  # running statistics: updated by `forward` in training, not by the optimizer
    dx: Any = None  # gradient of the input, an Array if the layer is allocated for training
    number = 0  # index among all layers of the network, nested ones included

    def connect(self, input_shape: Shape) -> Shape:
        """Set the input shape of one image and return the output shape; raise UserError as `shape_of_output`."""
        self.input_shape, self.output_shape = input_shape, self.shape_of_output(input_shape)
        return self.output_shape

    def shape_of_output(self, input_shape: Shape) -> Shape:
        """Check the fields, create the parameters and return the output shape of one image.

        Raises
        ------
        UserError
            If a field has a wrong value or the layer cannot take such an input.
        """
        return input_shape

    def allocate(self, ops: Ops, blocks: int, training: bool) -> None:
        """Allocate buffers for batches of up to `blocks` blocks of lanes; those of gradients only for `training`."""
        self.ops = ops
        self.y = ops.empty((blocks, *self.output_shape, ops.lanes))
        self.dx: Any = ops.empty((blocks, *self.input_shape, ops.lanes)) if training else None

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        """Compute the output of a batch, in a buffer that the next call overwrites.

        Parameters
        ----------
        x : float32 (B, *input_shape, L)
        training : TrainingStep, optional
            Pass it to be able to call `backward`. Without it the layer runs in inference mode. In a network that is
            built for training without fusion, `backward` then computes the gradient of the inference mode.

        Returns
        -------
        float32 (B, *output_shape, L)
        """
        raise NotImplementedError

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        """Fill the gradients of the parameters, given that of the last output.

        Parameters
        ----------
        dy : float32 (B, *output_shape, L)
            Gradient of the loss with respect to the output.
        input_gradient : bool
            Whether to compute the gradient of the input, too.

        Returns
        -------
        float32 (B, *input_shape, L)
            Gradient of the input; undefined without `input_gradient`.
        """
        raise NotImplementedError

    @property
    def parts(self) -> Sequence["Layer"]:
        """The layers that this step of a network computes: only itself."""
        return (self,)

    def multiply_adds(self) -> int:
        """Count the multiply-adds of the forward pass of one image."""
        return 0

    def children(self) -> tuple[list[str], list["Layer"]]:
        """Return the names of the nested layers and the nested layers."""
        return [], []

    def config(self) -> dict[str, Any]:
        """Return the type and the fields, from which `registry.layer_from_config` creates an equal layer."""
        return {"type": type(self).__name__, **(asdict(self) if is_dataclass(self) else {})}


@dataclass(eq=False)
class Conv2D(Layer):
    """2D convolution (as everywhere in deep learning, a cross-correlation).

    y[o, i, j] = bias[o] + sum_{c,p,q} x[c, i*stride + p - top, j*stride + q - left] weight[o, c, p, q]

    for each image x. x is zero outside its rows and columns. The padding sets top and left.

    Parameters
    ----------
    filters : int
        Number of output channels.
    kernel : int or (rows, columns)
    stride : int
    padding : {"valid", "same", "full"} or int
        An integer is the number of zeros on each side; a negative one crops that many pixels instead.
    initializer : str
        One of INITIALIZERS, for the weight; the bias starts at zero.

    References
    ----------
    LeCun et al. (1998), Gradient-based learning applied to document recognition, section II.A. The kernels' definition
    is `conv2d_forward` in fastdigits/ops/conv2d/reference.py.
    """

    filters: int
    kernel: int | tuple[int, int]
    stride: int = 1
    padding: str | int = "valid"
    initializer: str = "he"

    def shape_of_output(self, input_shape: Shape) -> Shape:
        check_pixels(self, input_shape)
        check_positive(self, "filters", "stride")
        check_initializer(self)
        P, Q = pair(self, "kernel")
        if self.padding not in ("valid", "same", "full") and not is_integer(self.padding, -MAX_CROPPED):
            raise UserError(f"Conv2D: padding must be valid, same, full or a whole number, not {shown(self.padding)}.")
        C, H, W = input_shape
        I, self.top = conv2d.output_size(H, P, self.stride, self.padding)
        J, self.left = conv2d.output_size(W, Q, self.stride, self.padding)
        if I < 1 or J < 1:
            raise UserError(f"Conv2D: a kernel of {shown(P)} x {shown(Q)} does not fit an input of {H} x {W}.")
        self.weight = Parameter(
            "weight",
            (self.filters, C, P, Q),
            self.initializer,
            fan_in=C * P * Q,
            fan_out=self.filters * P * Q,
        )
        self.bias = Parameter("bias", (self.filters,))
        self.parameters = [self.weight, self.bias]
        return self.filters, I, J

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        self.x = x
        self.ops.conv2d_forward(
            x=x,
            weight=self.weight.value,
            bias=self.bias.value,
            stride=self.stride,
            top=self.top,
            left=self.left,
            y=self.y,
        )
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        if input_gradient:
            self.ops.conv2d_backward(
                x=self.x,
                dy=dy,
                weight=self.weight.value,
                stride=self.stride,
                top=self.top,
                left=self.left,
                relu_input=False,
                dx=self.dx,
                dweight=self.weight.gradient,
                dbias=self.bias.gradient,
            )
        else:
            self.ops.conv2d_backward_weight(
                x=self.x,
                dy=dy,
                stride=self.stride,
                top=self.top,
                left=self.left,
                dweight=self.weight.gradient,
                dbias=self.bias.gradient,
            )
        return self.dx

    def multiply_adds(self) -> int:
        return prod(self.output_shape) * prod(self.weight.shape[1:])

    def pads(self) -> tuple[int, int, int, int]:
        """Return the zeros (top, left, bottom, right) around the image; negative numbers crop it."""
        (_, H, W), (_, I, J) = self.input_shape, self.output_shape
        P, Q = self.weight.shape[2:]
        bottom, right = (I - 1) * self.stride + P - H - self.top, (J - 1) * self.stride + Q - W - self.left
        # A stride may skip the last pixels
        return self.top, self.left, max(bottom, min(self.top, 0)), max(right, min(self.left, 0))


@dataclass(eq=False)
class Dense(Layer):
    """Fully connected layer.

    y[o] = bias[o] + sum_k x[k] weight[o, k]

    for the vector x of each image.

    Parameters
    ----------
    units : int
        Number of outputs.
    initializer : str
        One of INITIALIZERS, for the weight; the bias starts at zero.

    References
    ----------
    Rumelhart, Hinton and Williams (1986), Learning representations by back-propagating errors, equation 1. The kernels'
    definition is `dense_forward` in fastdigits/ops/dense/reference.py.
    """

    units: int
    initializer: str = "he"

    def shape_of_output(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise UserError(
                f"Dense: needs a flat input, not one of shape {format_shape(input_shape)}; put Flatten before it."
            )
        check_positive(self, "units")
        check_initializer(self)
        self.weight = Parameter(
            "weight",
            (self.units, *input_shape),
            self.initializer,
            fan_in=input_shape[0],
            fan_out=self.units,
        )
        self.bias = Parameter("bias", (self.units,))
        self.parameters = [self.weight, self.bias]
        return (self.units,)

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        self.x = x
        self.ops.dense_forward(x=x, weight=self.weight.value, bias=self.bias.value, y=self.y)
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        if input_gradient:
            self.ops.dense_backward(
                x=self.x,
                dy=dy,
                weight=self.weight.value,
                relu_input=False,
                dx=self.dx,
                dweight=self.weight.gradient,
                dbias=self.bias.gradient,
            )
        else:
            self.ops.dense_backward_weight(x=self.x, dy=dy, dweight=self.weight.gradient, dbias=self.bias.gradient)
        return self.dx

    def multiply_adds(self) -> int:
        return self.weight.size


@dataclass(eq=False)
class Flatten(Layer):
    """View the pixels of all channels as one vector, without a copy."""

    def shape_of_output(self, input_shape: Shape) -> Shape:
        return (prod(input_shape),)

    def allocate(self, ops: Ops, blocks: int, training: bool) -> None:
        self.lanes = ops.lanes

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        return x.reshape(len(x), *self.output_shape, self.lanes)

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        return dy.reshape(len(dy), *self.input_shape, self.lanes)


class Activation(Layer):
    """Base class of elementwise functions. Their operations view all arrays as vectors (V, L)."""

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        self.x = x
        self.apply(vectors(x), vectors(self.y))
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        if input_gradient:
            self.apply_gradient(vectors(self.x), vectors(self.y), vectors(dy), vectors(self.dx))
        return self.dx

    def apply(self, x: Array, y: Array) -> None:
        """Fill the output y."""
        raise NotImplementedError

    def apply_gradient(self, x: Array, y: Array, dy: Array, dx: Array) -> None:
        """Fill the gradient dx of the input."""
        raise NotImplementedError


@dataclass(eq=False)
class ReLU(Activation):
    """max(x, 0)."""

    def apply(self, x: Array, y: Array) -> None:
        self.ops.relu_forward(x, y)

    def apply_gradient(self, x: Array, y: Array, dy: Array, dx: Array) -> None:
        self.ops.relu_backward(y, dy, dx)


@dataclass(eq=False)
class LeakyReLU(Activation):
    """x if x > 0, else slope x.

    References
    ----------
    Maas, Hannun and Ng (2013), Rectifier nonlinearities improve neural network acoustic models.
    """

    slope: float = 0.01

    def shape_of_output(self, input_shape: Shape) -> Shape:
        if not isinstance(self.slope, int | float) or not 0 < self.slope < 1:
            raise UserError(f"LeakyReLU: slope must lie between 0 and 1, not {shown(self.slope)}.")
        return input_shape

    def apply(self, x: Array, y: Array) -> None:
        self.ops.leaky_relu_forward(x, float(self.slope), y)

    def apply_gradient(self, x: Array, y: Array, dy: Array, dx: Array) -> None:
        self.ops.leaky_relu_backward(y, dy, float(self.slope), dx)


@dataclass(eq=False)
class Sigmoid(Activation):
    """1 / (1 + exp(-x))."""

    def apply(self, x: Array, y: Array) -> None:
        self.ops.sigmoid_forward(x, y)

    def apply_gradient(self, x: Array, y: Array, dy: Array, dx: Array) -> None:
        self.ops.sigmoid_backward(y, dy, dx)


@dataclass(eq=False)
class Tanh(Activation):
    """Hyperbolic tangent."""

    def apply(self, x: Array, y: Array) -> None:
        self.ops.tanh_forward(x, y)

    def apply_gradient(self, x: Array, y: Array, dy: Array, dx: Array) -> None:
        self.ops.tanh_backward(y, dy, dx)


@dataclass(eq=False)
class GELU(Activation):
    """Gaussian error linear unit in the tanh form: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))."""

    def apply(self, x: Array, y: Array) -> None:
        self.ops.gelu_forward(x, y)

    def apply_gradient(self, x: Array, y: Array, dy: Array, dx: Array) -> None:
        self.ops.gelu_backward(x, dy, dx)


@dataclass(eq=False)
class SiLU(Activation):
    """Sigmoid linear unit, or Swish: x / (1 + exp(-x))."""

    def apply(self, x: Array, y: Array) -> None:
        self.ops.silu_forward(x, y)

    def apply_gradient(self, x: Array, y: Array, dy: Array, dx: Array) -> None:
        self.ops.silu_backward(x, dy, dx)


def vectors(array: Array) -> Array:
    """View an array of activations as vectors (V, L)."""
    return array.reshape(-1, array.shape[-1])


def format_shape(shape: Shape) -> str:
    """Write a shape as text, such as "6 x 24 x 24"."""
    return " x ".join(map(str, shape))


def check_pixels(layer: Layer, input_shape: Shape) -> None:
    """Raise UserError unless the input has channels, rows and columns."""
    if len(input_shape) != 3:
        raise UserError(f"{type(layer).__name__}: needs channels, rows and columns, not an input of {input_shape[0]}.")


def is_integer(value: object, minimum: int) -> bool:
    """Return whether the value is an integer, not a bool, of at least `minimum`."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= minimum


def check_positive(layer: Layer, *names: str) -> None:
    """Raise UserError unless these fields are positive integers."""
    for name in names:
        if not is_integer(getattr(layer, name), 1):
            raise UserError(
                f"{type(layer).__name__}: {name} must be a positive whole number, not {shown(getattr(layer, name))}."
            )


def check_fraction(layer: Layer, *names: str) -> None:
    """Raise UserError unless these fields lie between 0 and 1."""
    for name in names:
        value = getattr(layer, name)
        if type(value) not in (int, float) or not 0 < value < 1:
            raise UserError(f"{type(layer).__name__}: {name} must lie between 0 and 1, not {shown(value)}.")


def check_initializer(layer: "Conv2D | Dense") -> None:
    """Raise UserError unless the layer's initializer is one of INITIALIZERS."""
    if layer.initializer not in INITIALIZERS:
        raise UserError(
            f"{type(layer).__name__}: initializer must be one of {', '.join(INITIALIZERS)}, "
            f"not {shown(layer.initializer)}."
        )


def pair(layer: Layer, name: str) -> tuple[int, int]:
    """Return a field as two integers: it must be one positive integer, which counts twice, or two of them."""
    value = getattr(layer, name)
    sizes = (value, value) if isinstance(value, int) else tuple(value) if isinstance(value, list | tuple) else ()
    if len(sizes) != 2 or not all(is_integer(n, 1) for n in sizes):
        raise UserError(
            f"{type(layer).__name__}: {name} must be a positive whole number or two of them, not {shown(value)}."
        )
    return sizes
