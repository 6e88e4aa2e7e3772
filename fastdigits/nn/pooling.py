"""Pooling layers."""

from dataclasses import dataclass
from reprlib import repr as shown
from typing import Any

from fastdigits.errors import UserError
from fastdigits.nn.layers import Layer, Shape, TrainingStep, check_pixels, check_positive, pair
from fastdigits.ops import pool2d
from fastdigits.ops.interface import Array


@dataclass(eq=False)
class Pool2D(Layer):
    """Base class of pooling over windows.

    Parameters
    ----------
    window : int or (rows, columns)
    stride : int, optional
        Distance between windows; by default the rows of a window.
    """

    window: int | tuple[int, int]
    stride: Any = None  # an int once the layer is connected

    def shape_of_output(self, input_shape: Shape) -> Shape:
        check_pixels(self, input_shape)
        P, Q = self.size = pair(self, "window")
        if self.stride is None:
            self.stride = P
        check_positive(self, "stride")
        C, H, W = input_shape
        if P > H or Q > W:
            raise UserError(
                f"{type(self).__name__}: a window of {shown(P)} x {shown(Q)} does not fit an input of {H} x {W}."
            )
        return C, pool2d.output_size(H, P, self.stride), pool2d.output_size(W, Q, self.stride)


@dataclass(eq=False)
class MaxPool2D(Pool2D):
    """Maximum of each window; the fields are those of Pool2D."""

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        self.x = x
        self.ops.maxpool2d_forward(x=x, window=self.size, stride=self.stride, y=self.y)
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        if input_gradient:
            self.ops.maxpool2d_backward(x=self.x, dy=dy, window=self.size, stride=self.stride, dx=self.dx)
        return self.dx


@dataclass(eq=False)
class AvgPool2D(Pool2D):
    """Mean of each window; the fields are those of Pool2D."""

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        self.ops.avgpool2d_forward(x=x, window=self.size, stride=self.stride, y=self.y)
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        if input_gradient:
            self.ops.avgpool2d_backward(dy=dy, window=self.size, stride=self.stride, dx=self.dx)
        return self.dx


@dataclass(eq=False)
class GlobalAvgPool2D(Layer):
    """Mean of each channel.

    References
    ----------
    Lin, Chen and Yan (2014), Network in network.
    """

    def shape_of_output(self, input_shape: Shape) -> Shape:
        check_pixels(self, input_shape)
        _, rows, columns = input_shape
        self.size = rows, columns
        return input_shape[:1]

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        self.ops.avgpool2d_forward(x=x, window=self.size, stride=1, y=_as_pixels(self.y))
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        if input_gradient:
            self.ops.avgpool2d_backward(dy=_as_pixels(dy), window=self.size, stride=1, dx=self.dx)
        return self.dx


def _as_pixels(y: Array) -> Array:
    """View (B, C, L) as channels of one pixel (B, C, 1, 1, L)."""
    return y.reshape(*y.shape[:2], 1, 1, y.shape[-1])
