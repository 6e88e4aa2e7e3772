"""Activations of vector v of arrays (V, L)."""

from fastdigits.ops.lanes import load, maximum, select, splat, store
from fastdigits.ops.lanes.math import exp, tanh


def relu_forward(x, y, v):
    store(y, (v,), maximum(splat(0.0), load(x, (v,))))


def relu_backward(y, dy, dx, v):
    store(dx, (v,), select(load(y, (v,)) > splat(0.0), load(dy, (v,)), splat(0.0)))


def leaky_relu_forward(x, slope, y, v):
    a = load(x, (v,))
    store(y, (v,), select(a > splat(0.0), a, splat(slope) * a))


def leaky_relu_backward(y, dy, slope, dx, v):
    d = load(dy, (v,))
    store(dx, (v,), select(load(y, (v,)) > splat(0.0), d, splat(slope) * d))


def sigmoid_forward(x, y, v):
    a = load(x, (v,))
    small = exp(splat(0.0) - maximum(a, splat(0.0) - a))  # exp(-|x|) cannot overflow
    store(y, (v,), select(a >= splat(0.0), splat(1.0), small) / (splat(1.0) + small))


def sigmoid_backward(y, dy, dx, v):
    a = load(y, (v,))
    store(dx, (v,), load(dy, (v,)) * a * (splat(1.0) - a))


def tanh_forward(x, y, v):
    store(y, (v,), tanh(load(x, (v,))))


def tanh_backward(y, dy, dx, v):
    a = load(y, (v,))
    store(dx, (v,), load(dy, (v,)) * (splat(1.0) - a * a))
