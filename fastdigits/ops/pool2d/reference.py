"""Definitions of pooling and its gradients."""

import numpy as np


def maxpool2d_forward(x, window, stride, y):
    """Fill y[b, c, i, j, l] = max_{p,q} x[b, c, i*stride + p, j*stride + q, l].

    Parameters
    ----------
    x : float32 (B, C, H, W, L)
    window : (int, int)
        Rows P and columns Q of a window.
    stride : int
        Distance between windows, in rows and columns; windows overlap if it is smaller than a window.
    y : float32 (B, C, I, J, L), filled
    """
    y[...] = -np.inf
    for _, pixels in _window_pixels(x, window, stride, y):
        np.maximum(y, pixels, out=y)


def maxpool2d_backward(x, dy, window, stride, dx):
    """Fill dx with dy at the first maximum of each window (row by row), summed over windows; zero elsewhere.

    NaN counts as the maximum, and the last of several.

    Parameters
    ----------
    x : float32 (B, C, H, W, L)
    dy : float32 (B, C, I, J, L)
    window, stride
        As in maxpool2d_forward.
    dx : float32 (B, C, H, W, L), filled
    """
    winner = first_maximum(pixels for _, pixels in _window_pixels(x, window, stride, dy))
    dx[...] = 0
    for number, gradients in _window_pixels(dx, window, stride, dy):
        gradients += np.where(winner == number, dy, 0)


def avgpool2d_forward(x, window, stride, y):
    """Fill y[b, c, i, j, l] = 1/(P Q) sum_{p,q} x[b, c, i*stride + p, j*stride + q, l].

    Parameters
    ----------
    x, window, stride, y
        As in maxpool2d_forward.
    """
    y[...] = 0
    for _, pixels in _window_pixels(x, window, stride, y):
        y += pixels
    y /= window[0] * window[1]


def avgpool2d_backward(dy, window, stride, dx):
    """Fill dx with the sum of dy / (P Q) over the windows that contain a pixel.

    Parameters
    ----------
    dy : float32 (B, C, I, J, L)
    window, stride
        As in maxpool2d_forward.
    dx : float32 (B, C, H, W, L), filled
    """
    dx[...] = 0
    for _, gradients in _window_pixels(dx, window, stride, dy):
        gradients += dy / (window[0] * window[1])


def first_maximum(arrays):
    """Return for each element the number of the first array in which it is largest, or of the last with NaN."""
    best, winner = -np.inf, 0
    for number, array in enumerate(arrays):
        larger = (array > best) | np.isnan(array)
        winner = np.where(larger, number, winner)
        best = np.where(larger, array, best)
    return winner


def _window_pixels(x, window, stride, y):
    """Yield for each position (p, q) in a window its number and a view of this pixel in all windows of x."""
    I, J = y.shape[2:4]
    for p in range(window[0]):
        for q in range(window[1]):
            rows = slice(p, p + (I - 1) * stride + 1, stride)
            columns = slice(q, q + (J - 1) * stride + 1, stride)
            yield p * window[1] + q, x[:, :, rows, columns]
