"""Activations of vector v of arrays (V, L)."""

from fastdigits.ops.lanes import fma, load, maximum, select, splat, store
from fastdigits.ops.lanes.math import sigmoid, tanh


def relu_forward(x, y, v):
    store(y, (v,), maximum(splat(0.0), load(x, (v,))))


def relu_backward(y, dy, dx, v):
    store(dx, (v,), select(splat(0.0) >= load(y, (v,)), splat(0.0), load(dy, (v,))))


def leaky_relu_forward(x, slope, y, v):
    a = load(x, (v,))
    store(y, (v,), select(a > splat(0.0), a, splat(slope) * a))


def leaky_relu_backward(y, dy, slope, dx, v):
    d = load(dy, (v,))
    store(dx, (v,), select(load(y, (v,)) > splat(0.0), d, splat(slope) * d))


def sigmoid_forward(x, y, v):
    store(y, (v,), sigmoid(load(x, (v,))))


def sigmoid_backward(y, dy, dx, v):
    a = load(y, (v,))
    store(dx, (v,), load(dy, (v,)) * a * (splat(1.0) - a))


def tanh_forward(x, y, v):
    store(y, (v,), tanh(load(x, (v,))))


def tanh_backward(y, dy, dx, v):
    a = load(y, (v,))
    store(dx, (v,), load(dy, (v,)) * (splat(1.0) - a * a))


def gelu_forward(x, y, v):
    a = load(x, (v,))
    store(y, (v,), a * sigmoid(splat(1.59576912) * a * fma(splat(0.044715) * a, a, splat(1.0))))


def gelu_backward(x, dy, dx, v):
    a = load(x, (v,))
    square = a * a
    gate = sigmoid(splat(1.59576912) * a * fma(splat(0.044715), square, splat(1.0)))
    slope = splat(1.59576912) * fma(splat(0.134145), square, splat(1.0))
    store(dx, (v,), load(dy, (v,)) * fma(a * gate * (splat(1.0) - gate), slope, gate))


def silu_forward(x, y, v):
    a = load(x, (v,))
    store(y, (v,), a * sigmoid(a))


def silu_backward(x, dy, dx, v):
    a = load(x, (v,))
    gate = sigmoid(a)
    store(dx, (v,), load(dy, (v,)) * gate * fma(a, splat(1.0) - gate, splat(1.0)))
