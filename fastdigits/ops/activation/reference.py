"""Definitions of the activations and their gradients."""

from math import pi, sqrt

import numpy as np


def relu_forward(x, y):
    """Fill y = max(x, 0).

    Parameters
    ----------
    x : float32 (V, L)
    y : float32 (V, L), filled

    References
    ----------
    Nair and Hinton (2010), Rectified linear units improve restricted Boltzmann machines.
    """
    np.maximum(x, 0, out=y)


def relu_backward(y, dy, dx):
    """Fill dx = 0 where y <= 0, else dy, also where y is NaN.

    Parameters
    ----------
    y, dy : float32 (V, L)
    dx : float32 (V, L), filled
    """
    dx[...] = np.where(y <= 0, 0, dy)


def leaky_relu_forward(x, slope, y):
    """Fill y = x where x > 0, else slope * x.

    Parameters
    ----------
    x : float32 (V, L)
    slope : float
        Positive, so that y has the sign of x.
    y : float32 (V, L), filled

    References
    ----------
    Maas, Hannun and Ng (2013), Rectifier nonlinearities improve neural network acoustic models.
    """
    y[...] = np.where(x > 0, x, slope * x)


def leaky_relu_backward(y, dy, slope, dx):
    """Fill dx = dy where y > 0, else slope * dy.

    Parameters
    ----------
    y, dy : float32 (V, L)
    slope : float
    dx : float32 (V, L), filled
    """
    dx[...] = np.where(y > 0, dy, slope * dy)


def sigmoid_forward(x, y):
    """Fill y = 1 / (1 + exp(-x)).

    Parameters
    ----------
    x : float32 (V, L)
    y : float32 (V, L), filled
    """
    y[...] = _sigmoid(x)


def sigmoid_backward(y, dy, dx):
    """Fill dx = dy y (1 - y).

    Parameters
    ----------
    y, dy : float32 (V, L)
    dx : float32 (V, L), filled
    """
    dx[...] = dy * y * (1 - y)


def tanh_forward(x, y):
    """Fill y = tanh(x).

    Parameters
    ----------
    x : float32 (V, L)
    y : float32 (V, L), filled
    """
    np.tanh(x, out=y)


def tanh_backward(y, dy, dx):
    """Fill dx = dy (1 - y^2).

    Parameters
    ----------
    y, dy : float32 (V, L)
    dx : float32 (V, L), filled
    """
    dx[...] = dy * (1 - y * y)


def gelu_forward(x, y):
    """Fill y = x/2 (1 + tanh(u)), with u = sqrt(2/pi) (x + 0.044715 x^3): the tanh form, within 5e-4 of the exact one.

    Parameters
    ----------
    x : float32 (V, L)
    y : float32 (V, L), filled

    References
    ----------
    Hendrycks and Gimpel (2016), Gaussian error linear units (GELUs), section 2.
    """
    y[...] = x * _gelu_gate(x)


def gelu_backward(x, dy, dx):
    """Fill dx = dy (g + x dg/dx), with the gate g = (1 + tanh(u)) / 2 of gelu_forward.

    dg/dx = 2 g (1 - g) sqrt(2/pi) (1 + 3 * 0.044715 x^2)

    Parameters
    ----------
    x, dy : float32 (V, L)
    dx : float32 (V, L), filled
    """
    gate = _gelu_gate(x)
    dx[...] = dy * (gate + x * gate * (1 - gate) * (2 * sqrt(2 / pi)) * (1 + 3 * 0.044715 * x * x))


def silu_forward(x, y):
    """Fill y = x sigmoid(x).

    Parameters
    ----------
    x : float32 (V, L)
    y : float32 (V, L), filled

    References
    ----------
    Elfwing, Uchibe and Doya (2018), Sigmoid-weighted linear units for neural network function approximation in
    reinforcement learning; Ramachandran, Zoph and Le (2017), Searching for activation functions, where it is Swish.
    """
    y[...] = x * _sigmoid(x)


def silu_backward(x, dy, dx):
    """Fill dx = dy s (1 + x (1 - s)), with s = sigmoid(x).

    Parameters
    ----------
    x, dy : float32 (V, L)
    dx : float32 (V, L), filled
    """
    gate = _sigmoid(x)
    dx[...] = dy * gate * (1 + x * (1 - gate))


def _gelu_gate(x):
    """Return (1 + tanh(u)) / 2 = sigmoid(2 u)."""
    return _sigmoid(2 * sqrt(2 / pi) * x * (1 + 0.044715 * x * x))


def _sigmoid(x):
    small = np.exp(-np.abs(x))  # exp of a negative number cannot overflow
    return np.where(x >= 0, 1, small) / (1 + small)
