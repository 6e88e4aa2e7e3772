"""Definitions of convolution and its gradients."""

import numpy as np


def conv2d_forward(x, weight, bias, stride, top, left, y):
    """Fill y with the convolution of x.

    y[b, o, i, j, l] = bias[o] + sum_{c,p,q} x[b, c, i*stride + p - top, j*stride + q - left, l] weight[o, c, p, q]
    x is zero outside its rows and columns.

    Parameters
    ----------
    x : float32 (B, C, H, W, L)
    weight : float32 (O, C, P, Q)
    bias : float32 (O,)
    stride : int
        Distance in x, in rows and columns, between adjacent pixels of y.
    top, left : int
        Numbers of zero rows and columns before the first row and column of x.
    y : float32 (B, O, I, J, L), filled

    References
    ----------
    LeCun et al. (1998), Gradient-based learning applied to document recognition, section II.A.
    """
    y[...] = bias[:, None, None, None]
    for p, q, at_x, at_y in _kernel_positions(x, weight, stride, top, left, y):
        y[at_y] += np.einsum("bcijl,oc->boijl", x[at_x], weight[:, :, p, q], optimize=True)


def conv2d_backward_input(dy, weight, stride, top, left, dx):
    """Fill dx with the gradient of the loss with respect to the input of conv2d_forward.

    dx[b, c, h, w, l] = sum_{o,p,q} dy[b, o, i, j, l] weight[o, c, p, q] over all i, j
    with i*stride + p - top = h and j*stride + q - left = w.

    Parameters
    ----------
    dy : float32 (B, O, I, J, L)
    weight : float32 (O, C, P, Q)
    stride, top, left : int
        As in conv2d_forward.
    dx : float32 (B, C, H, W, L), filled
    """
    dx[...] = 0
    for p, q, at_x, at_y in _kernel_positions(dx, weight, stride, top, left, dy):
        dx[at_x] += np.einsum("boijl,oc->bcijl", dy[at_y], weight[:, :, p, q], optimize=True)


def conv2d_backward_weight(x, dy, stride, top, left, dweight, dbias):
    """Fill dweight and dbias with the gradients of the loss with respect to the parameters of conv2d_forward.

    dweight[o, c, p, q] = sum_{b,i,j,l} dy[b, o, i, j, l] x[b, c, i*stride + p - top, j*stride + q - left, l]
    dbias[o] = sum_{b,i,j,l} dy[b, o, i, j, l]

    Parameters
    ----------
    x : float32 (B, C, H, W, L)
    dy : float32 (B, O, I, J, L)
    stride, top, left : int
        As in conv2d_forward.
    dweight : float32 (O, C, P, Q), filled
    dbias : float32 (O,), filled
    """
    dweight[...] = 0
    for p, q, at_x, at_y in _kernel_positions(x, dweight, stride, top, left, dy):
        dweight[:, :, p, q] = np.einsum("boijl,bcijl->oc", dy[at_y], x[at_x], optimize=True)
    dbias[...] = dy.sum((0, 2, 3, 4))


def _kernel_positions(x, weight, stride, top, left, y):
    """Yield each kernel element (p, q) with the indices of the pixels of x and y that it connects."""
    for p in range(weight.shape[2]):
        rows_x, rows_y = _overlap(x.shape[2], y.shape[2], stride, p - top)
        for q in range(weight.shape[3]):
            columns_x, columns_y = _overlap(x.shape[3], y.shape[3], stride, q - left)
            yield p, q, (slice(None), slice(None), rows_x, columns_x), (slice(None), slice(None), rows_y, columns_y)


def _overlap(size_x, size_y, stride, shift):
    """Return the slices of x and y with index_x = index_y * stride + shift where both indices lie inside."""
    first = max(0, -(shift // stride))
    last = min(size_y - 1, (size_x - 1 - shift) // stride)
    if last < first:
        return slice(0, 0), slice(0, 0)
    return slice(first * stride + shift, last * stride + shift + 1, stride), slice(first, last + 1)
