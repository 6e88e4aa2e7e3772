"""Definitions of the activations and their gradients."""

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
    """Fill dx = dy where y > 0, else 0.

    Parameters
    ----------
    y, dy : float32 (V, L)
    dx : float32 (V, L), filled
    """
    dx[...] = np.where(y > 0, dy, 0)


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
    small = np.exp(-np.abs(x))  # exp of a negative number cannot overflow
    y[...] = np.where(x >= 0, 1, small) / (1 + small)


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
