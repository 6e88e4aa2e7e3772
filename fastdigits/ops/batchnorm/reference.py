"""Definitions of batch normalization and its gradients."""

import numpy as np


def batchnorm_forward(x, gamma, beta, count, epsilon, momentum, running_mean, running_var, mean, var, y):
    """Normalize x by the mean and variance of the batch, and update the running averages.

    mean[c] = 1/n sum_{b,s,l} x[b, c, s, l]    var[c] = 1/n sum_{b,s,l} (x[b, c, s, l] - mean[c])^2
    over the images b*L + l < count, with n = count S
    y[b, c, s, l] = (x[b, c, s, l] - mean[c]) / sqrt(var[c] + epsilon) gamma[c] + beta[c] in all lanes
    running_mean += momentum (mean - running_mean)
    running_var += momentum (n/(n-1) var - running_var), the unbiased variance, or 0 if n is 1

    Parameters
    ----------
    x : float32 (B, C, S, L)
        S pixels of a channel; 1 after a dense layer.
    gamma, beta : float32 (C,)
    count : int
        Images in the batch, at least 1.
    epsilon, momentum : float
    running_mean, running_var : float32 (C,), changed
    mean, var : float32 (C,), filled
    y : float32 (B, C, S, L), filled

    References
    ----------
    Ioffe and Szegedy (2015), Batch normalization: accelerating deep network training by reducing internal covariate
    shift, algorithm 1. The running averages follow PyTorch.
    """
    n, filled = count * x.shape[2], _filled(x, count)
    mean[...] = np.where(filled, x, 0).sum((0, 2, 3)) / n
    var[...] = (np.where(filled, x - _by_channel(mean), 0) ** 2).sum((0, 2, 3)) / n
    running_mean += momentum * (mean - running_mean)
    running_var += momentum * (var * (n / max(n - 1, 1)) - running_var)
    batchnorm_inference(x, gamma, beta, mean, var, epsilon, y)


def batchnorm_inference(x, gamma, beta, mean, var, epsilon, y):
    """Normalize x by a given mean and variance.

    y[b, c, s, l] = (x[b, c, s, l] - mean[c]) / sqrt(var[c] + epsilon) gamma[c] + beta[c]

    Parameters
    ----------
    x : float32 (B, C, S, L)
    gamma, beta, mean, var : float32 (C,)
    epsilon : float
    y : float32 (B, C, S, L), filled
    """
    y[...] = (x - _by_channel(mean)) * _by_channel(gamma / np.sqrt(var + epsilon)) + _by_channel(beta)


def batchnorm_backward(x, dy, gamma, mean, var, count, epsilon, dgamma, dbeta, dx):
    """Fill the gradients of the loss with respect to the input and parameters of batchnorm_forward.

    dbeta[c] = sum_{b,s,l} dy[b, c, s, l]    dgamma[c] = sum_{b,s,l} dy[b, c, s, l] z[b, c, s, l]
    dx[b, c, s, l] = gamma[c] / sqrt(var[c] + epsilon) (dy[b, c, s, l] - dbeta[c]/n - z[b, c, s, l] dgamma[c]/n)
    with z = (x - mean) / sqrt(var + epsilon), over the images b*L + l < count; dx is 0 in the other lanes.

    Parameters
    ----------
    x, dy : float32 (B, C, S, L)
    gamma : float32 (C,)
    mean, var : float32 (C,)
        As filled by batchnorm_forward.
    count : int
    epsilon : float
    dgamma, dbeta : float32 (C,), filled
    dx : float32 (B, C, S, L), filled
    """
    n, filled = count * x.shape[2], _filled(x, count)
    std = np.sqrt(var + epsilon)
    z = (x - _by_channel(mean)) / _by_channel(std)
    dbeta[...] = np.where(filled, dy, 0).sum((0, 2, 3))
    dgamma[...] = np.where(filled, dy * z, 0).sum((0, 2, 3))
    centered = dy - _by_channel(dbeta / n) - z * _by_channel(dgamma / n)
    dx[...] = np.where(filled, _by_channel(gamma / std) * centered, 0)


def batchnorm_fold(weight, bias, gamma, beta, mean, var, epsilon, folded_weight, folded_bias):
    """Fill the weights of a linear layer that computes a linear layer followed by a normalization.

    folded_weight[o, k] = weight[o, k] gamma[o] / sqrt(var[o] + epsilon)
    folded_bias[o] = (bias[o] - mean[o]) gamma[o] / sqrt(var[o] + epsilon) + beta[o]

    Parameters
    ----------
    weight : float32 (O, K)
    bias, gamma, beta, mean, var : float32 (O,)
    epsilon : float
    folded_weight : float32 (O, K), filled
    folded_bias : float32 (O,), filled
    """
    scale = gamma / np.sqrt(var + epsilon)
    folded_weight[...] = weight * scale[:, None]
    folded_bias[...] = (bias - mean) * scale + beta


def _filled(x, count):
    """Return the mask (B, 1, 1, L) of the lanes of x that hold images."""
    B, L = x.shape[0], x.shape[3]
    return np.arange(B * L).reshape(B, 1, 1, L) < count


def _by_channel(a):
    return a[:, None, None]
