"""Convolution (strictly, cross-correlation) with stride and zero padding.

y[b, o, i, j] = bias[o] + sum over c, p, q of x[b, c, i*stride + p - top, j*stride + q - left] weight[o, c, p, q]

`top` and `left` are the numbers of zero rows and columns before the first row and column of x. The padding at the end
follows from the size of y.
"""

OPS = ("conv2d_forward", "conv2d_backward_input", "conv2d_backward_weight")


def output_size(size: int, kernel: int, stride: int, padding: str | int) -> tuple[int, int]:
    """Return (output rows, zero rows before the first) for padding "valid", "same", "full" or a number of zeros.

    "same" gives ceil(size / stride) output rows. If the number of zero rows is odd, the extra one comes last, as in
    TensorFlow.
    """
    if padding == "same":
        rows = -(-size // stride)
        return rows, max((rows - 1) * stride + kernel - size, 0) // 2
    zeros = {"valid": 0, "full": kernel - 1}[padding] if isinstance(padding, str) else padding
    return (size + 2 * zeros - kernel) // stride + 1, zeros
