"""Definitions of the dense layer and its gradients."""

import numpy as np


def dense_forward(x, weight, bias, y):
    """Fill y[b, o, l] = bias[o] + sum_k x[b, k, l] weight[o, k].

    Parameters
    ----------
    x : float32 (B, K, L)
    weight : float32 (O, K)
    bias : float32 (O,)
    y : float32 (B, O, L), filled
    """
    y[...] = np.matmul(weight, x) + bias[:, None]


def dense_backward_input(dy, weight, dx):
    """Fill dx[b, k, l] = sum_o dy[b, o, l] weight[o, k].

    Parameters
    ----------
    dy : float32 (B, O, L)
    weight : float32 (O, K)
    dx : float32 (B, K, L), filled
    """
    dx[...] = np.matmul(weight.T, dy)


def dense_backward_weight(x, dy, dweight, dbias):
    """Fill dweight[o, k] = sum_{b,l} dy[b, o, l] x[b, k, l] and dbias[o] = sum_{b,l} dy[b, o, l].

    Parameters
    ----------
    x : float32 (B, K, L)
    dy : float32 (B, O, L)
    dweight : float32 (O, K), filled
    dbias : float32 (O,), filled
    """
    dweight[...] = np.einsum("bol,bkl->ok", dy, x, optimize=True)
    dbias[...] = dy.sum((0, 2))
