"""Convolution (cross-correlation, as networks use it) with stride and zero padding.

y[b, o, i, j] = bias[o] + sum over c, p, q of x[b, c, i*stride + p - top, j*stride + q - left] weight[o, c, p, q]

`top` and `left` are the rows and columns of zeros before the first of x. The padding after the last follows from
the size of y.
"""

OPS = ("conv2d_forward", "conv2d_backward_input", "conv2d_backward_weight")


def output_size(size: int, kernel: int, stride: int, padding: str | int) -> tuple[int, int]:
    """Return (output rows, zeros before the first row) for padding "valid", "same", "full" or a number of zeros.

    "same" gives ceil(size / stride) rows; an odd number of zeros has the extra one at the end, as in TensorFlow.
    """
    if padding == "same":
        rows = -(-size // stride)
        return rows, max((rows - 1) * stride + kernel - size, 0) // 2
    zeros = {"valid": 0, "full": kernel - 1}[padding] if isinstance(padding, str) else padding
    return (size + 2 * zeros - kernel) // stride + 1, zeros
