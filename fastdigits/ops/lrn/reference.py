"""Definitions of local response normalization and its gradient."""

import numpy as np


def lrn_forward(x, size, alpha, beta, k, base, y):
    """Fill base with the energy of `size` adjacent channels, and y with x divided by its power `beta`.

    base[b, c, s, l] = k + alpha sum_d x[b, d, s, l]^2 over the channels d with |d - c| <= size // 2
    y[b, c, s, l] = x[b, c, s, l] / base[b, c, s, l]^beta

    Parameters
    ----------
    x : float32 (B, C, S, L)
    size : int
        Odd.
    alpha, beta, k : float
        k above 0.
    base, y : float32 (B, C, S, L), filled

    References
    ----------
    Krizhevsky, Sutskever and Hinton (2012), ImageNet classification with deep convolutional neural networks,
    section 3.3. Their alpha multiplies the sum, PyTorch's the mean.
    """
    base[...] = k + alpha * _sum_of_neighbors(x * x, size)
    y[...] = x / base**beta


def lrn_backward(x, y, dy, base, size, alpha, beta, dx):
    """Fill dx with the gradient of the loss with respect to the input of lrn_forward.

    dx[b, c, s, l] = dy[b, c, s, l] / base[b, c, s, l]^beta
                     - 2 alpha beta x[b, c, s, l] sum_d dy[b, d, s, l] y[b, d, s, l] / base[b, d, s, l]
    over the channels d with |d - c| <= size // 2.

    Parameters
    ----------
    x, y, dy, base : float32 (B, C, S, L)
    size, alpha, beta
        As in lrn_forward.
    dx : float32 (B, C, S, L), filled
    """
    dx[...] = dy / base**beta - 2 * alpha * beta * x * _sum_of_neighbors(dy * y / base, size)


def _sum_of_neighbors(a, size):
    """Return for each channel the sum over the channels at most size // 2 away."""
    C, reach = a.shape[1], size // 2
    return np.stack([a[:, max(0, c - reach) : c + reach + 1].sum(1) for c in range(C)], 1)
