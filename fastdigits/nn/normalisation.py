"""Layers that make activities comparable: over the images of a batch, or among neighbouring channels."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from fastdigits.errors import UserError
from fastdigits.nn.layers import Layer, Shape, TrainingStep, check_positive, check_share, need_pixels
from fastdigits.nn.parameter import Parameter
from fastdigits.ops.interface import Array, Ops


@dataclass(eq=False)
class BatchNorm(Layer):
    """Every channel with mean 0 and variance 1, then scaled by gamma and shifted by beta, which are learned.

    A batch that is learned from is normalised by its own mean and variance; `momentum` is the share of these in the
    running ones, which serve afterwards.

    Ioffe and Szegedy (2015), Batch normalization: accelerating deep network training by reducing internal covariate
    shift.
    """

    momentum: float = 0.1
    epsilon: float = 1e-5

    def shape_of_output(self, input_shape: Shape) -> Shape:
        check_share(self, "momentum", "epsilon")
        C = input_shape[0]
        self.gamma, self.beta = Parameter("gamma", (C,), "one"), Parameter("beta", (C,))
        self.parameters = [self.gamma, self.beta]
        self.running = [Parameter("running_mean", (C,)), Parameter("running_var", (C,), "one")]
        return input_shape

    def allocate(self, ops: Ops, blocks: int, training: bool) -> None:
        super().allocate(ops, blocks, training)
        self.mean, self.var = ops.empty((self.input_shape[0],)), ops.empty((self.input_shape[0],))

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        self.x, self.count = x, training.count if training else 0
        given, running = (self._planes(x), self.gamma.value, self.beta.value), [p.value for p in self.running]
        if training:
            settings = training.count, float(self.epsilon), float(self.momentum)
            self._operation("forward")(*given, *settings, *running, self.mean, self.var, self._planes(self.y))
        else:
            self._operation("inference")(*given, *running, float(self.epsilon), self._planes(self.y))
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        if not self.count:
            return self._backward_in_use(dy)
        read = (self.x, self.y, dy) if self.applies_relu else (self.x, dy)
        statistics = self.gamma.value, self.mean, self.var, self.count, float(self.epsilon)
        filled = self.gamma.gradient, self.beta.gradient, self._planes(self.dx)
        self._operation("backward")(*map(self._planes, read), *statistics, *filled)
        return self.dx

    def _backward_in_use(self, dy: Array) -> Array:
        """With the running statistics it is linear but for an offset, and its gradient is that without the offset."""
        nothing, running_var = self.ops.zeros(self.gamma.shape), self.running[1].value
        given = self._planes(dy), self.gamma.value, nothing, nothing, running_var, float(self.epsilon)
        self.ops.batchnorm_inference(*given, self._planes(self.dx))
        return self.dx

    def _operation(self, direction: str) -> Callable[..., None]:
        return getattr(self.ops, f"batchnorm_relu_{direction}" if self.applies_relu else f"batchnorm_{direction}")

    def _planes(self, array: Array) -> Array:
        """The view (B, C, S, L)."""
        return planes(array, self.input_shape)


@dataclass(eq=False)
class LocalResponseNorm(Layer):
    """Each activity divided by (k + alpha times the sum of squares of `size` neighbouring channels) to the power beta.

    Krizhevsky, Sutskever and Hinton (2012), ImageNet classification with deep convolutional neural networks.
    """

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 2.0

    def shape_of_output(self, input_shape: Shape) -> Shape:
        need_pixels(self, input_shape)
        check_positive(self, "size")
        if self.size % 2 == 0:
            raise UserError(f"LocalResponseNorm: size must be odd, not {self.size}.")
        for name in ("alpha", "beta", "k"):
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 < value <= 1e3:
                raise UserError(f"LocalResponseNorm: {name} must lie between 0 and 1000, not {value!r}.")
        return input_shape

    def allocate(self, ops: Ops, blocks: int, training: bool) -> None:
        super().allocate(ops, blocks, training)
        self.base = ops.empty(planes(self.y, self.input_shape).shape)

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        self.x = x
        settings = self.size, float(self.alpha), float(self.beta), float(self.k)
        self.ops.lrn_forward(planes(x, self.input_shape), *settings, self.base, planes(self.y, self.input_shape))
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        if input_gradient:
            x, y, d, dx = (planes(array, self.input_shape) for array in (self.x, self.y, dy, self.dx))
            self.ops.lrn_backward(x, y, d, self.base, self.size, float(self.alpha), float(self.beta), dx)
        return self.dx


def planes(array: Array, shape: Shape) -> Array:
    """The activations of images of a shape as the view (B, C, S, L): channels of S pixels, or of one number."""
    return array.reshape(len(array), shape[0], prod(shape[1:]), array.shape[-1])
