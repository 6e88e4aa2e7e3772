"""squareplus, y = (x + sqrt(x^2 + 4)) / 2, with a kernel and in NumPy alone; and a layer with a parameter."""

from dataclasses import dataclass

import numpy as np

from fastdigits.extend import Activation, Layer, Operation, Parameter, vectors
from fastdigits.ops.lanes import fma, load, splat, sqrt, store
from fastdigits.ops.lanes.math import sigmoid


def squareplus(x, y):
    y[...] = (x + np.sqrt(x * x + 4)) / 2


def squareplus_gradient(y, dy, dx):
    dx[...] = dy * y * y / (y * y + 1)


def squareplus_vector(x, y, v):
    a = load(x, (v,))
    store(y, (v,), (a + sqrt(fma(a, a, splat(4.0)))) * splat(0.5))


def squareplus_gradient_vector(y, dy, dx, v):
    a = load(y, (v,))
    store(dx, (v,), load(dy, (v,)) * a * a / fma(a, a, splat(1.0)))


FORWARD = Operation(squareplus, squareplus_vector)
BACKWARD = Operation(squareplus_gradient, squareplus_gradient_vector)


class Squareplus(Activation):
    """With a kernel, which is compiled on CPUs and GPUs."""

    only_operations = True

    def apply(self, x, y):
        FORWARD.on(self.ops)(x, y)

    def apply_gradient(self, x, y, dy, dx):
        BACKWARD.on(self.ops)(y, dy, dx)


SLOW_FORWARD, SLOW_BACKWARD = Operation(squareplus), Operation(squareplus_gradient)


class SlowSquareplus(Activation):
    """In NumPy alone."""

    def apply(self, x, y):
        SLOW_FORWARD.on(self.ops)(x, y)

    def apply_gradient(self, x, y, dy, dx):
        SLOW_BACKWARD.on(self.ops)(y, dy, dx)


def gelu(x, y):
    y[...] = x / (1 + np.exp(-1.59576912 * x * (1 + 0.044715 * x * x)))


def gelu_gradient(x, dy, dx):
    gate = 1 / (1 + np.exp(-1.59576912 * x * (1 + 0.044715 * x * x)))
    dx[...] = dy * (gate + x * gate * (1 - gate) * 1.59576912 * (1 + 0.134145 * x * x))


def gelu_vector(x, y, v):
    a = load(x, (v,))
    store(y, (v,), a * sigmoid(splat(1.59576912) * a * fma(splat(0.044715) * a, a, splat(1.0))))


def gelu_gradient_vector(x, dy, dx, v):
    a = load(x, (v,))
    square = a * a
    gate = sigmoid(splat(1.59576912) * a * fma(splat(0.044715), square, splat(1.0)))
    slope = splat(1.59576912) * fma(splat(0.134145), square, splat(1.0))
    store(dx, (v,), load(dy, (v,)) * fma(a * gate * (splat(1.0) - gate), slope, gate))


GELU_FORWARD, GELU_BACKWARD = Operation(gelu, gelu_vector), Operation(gelu_gradient, gelu_gradient_vector)


class OutsideGELU(Activation):
    """As fastdigits.GELU, to compare the speed."""

    only_operations = True

    def apply(self, x, y):
        GELU_FORWARD.on(self.ops)(x, y)

    def apply_gradient(self, x, y, dy, dx):
        GELU_BACKWARD.on(self.ops)(x, dy, dx)


def scale(x, factor, y):
    y[...] = x * factor


def scale_gradient(x, dy, factor, dx, dfactor):
    dx[...] = dy * factor
    dfactor[...] = (dy * x).sum()


SCALE, SCALE_GRADIENT = Operation(scale), Operation(scale_gradient)


@dataclass(eq=False)
class Scale(Layer):
    """Multiply everything by one trained number, which starts at 1."""

    name_of_factor: str = "factor"

    def shape_of_output(self, input_shape):
        self.factor = Parameter(self.name_of_factor, (1,), "one")
        self.parameters = [self.factor]
        return input_shape

    def forward(self, x, training=None):
        self.x = x
        SCALE.on(self.ops)(vectors(x), self.factor.value, vectors(self.y))
        return self.y

    def backward(self, dy, input_gradient):
        gradient = SCALE_GRADIENT.on(self.ops)
        gradient(vectors(self.x), vectors(dy), self.factor.value, vectors(self.dx), self.factor.gradient)
        return self.dx
