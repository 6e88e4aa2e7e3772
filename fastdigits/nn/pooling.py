"""Layers that sum up neighbouring pixels."""

from dataclasses import dataclass

from fastdigits.errors import UserError
from fastdigits.nn.layers import Layer, Shape, TrainingStep, check_positive, need_pixels, pair
from fastdigits.ops import pool2d
from fastdigits.ops.interface import Array


class _Pool2D(Layer):
    """Windows of `window` x `window` (or rows x columns) pixels, `stride` apart (a window's rows unless given)."""

    def shape_of_output(self, input_shape: Shape) -> Shape:
        need_pixels(self, input_shape)
        P, Q = self.size = pair(self, "window")
        if self.stride is None:
            self.stride = P
        check_positive(self, "stride")
        C, H, W = input_shape
        if P > H or Q > W:
            raise UserError(f"{type(self).__name__}: a window of {P} x {Q} does not fit an input of {H} x {W}.")
        return C, pool2d.output_size(H, P, self.stride), pool2d.output_size(W, Q, self.stride)


@dataclass(eq=False)
class MaxPool2D(_Pool2D):
    """The largest pixel of each window."""

    window: int | tuple[int, int]
    stride: int | None = None

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        self.x = x
        self.ops.maxpool2d_forward(x, self.size, self.stride, self.y)
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        if input_gradient:
            self.ops.maxpool2d_backward(self.x, dy, self.size, self.stride, self.dx)
        return self.dx


@dataclass(eq=False)
class AvgPool2D(_Pool2D):
    """The mean of each window."""

    window: int | tuple[int, int]
    stride: int | None = None

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        self.ops.avgpool2d_forward(x, self.size, self.stride, self.y)
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        if input_gradient:
            self.ops.avgpool2d_backward(dy, self.size, self.stride, self.dx)
        return self.dx


@dataclass(eq=False)
class GlobalAvgPool2D(Layer):
    """The mean of each channel (Lin, Chen and Yan 2014, Network in network)."""

    def shape_of_output(self, input_shape: Shape) -> Shape:
        need_pixels(self, input_shape)
        return input_shape[:1]

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        self.ops.avgpool2d_forward(x, self.input_shape[1:], 1, self._single_pixels(self.y))
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        if input_gradient:
            self.ops.avgpool2d_backward(self._single_pixels(dy), self.input_shape[1:], 1, self.dx)
        return self.dx

    def _single_pixels(self, y: Array) -> Array:
        return y.reshape(*y.shape[:2], 1, 1, y.shape[-1])
