"""Maximum and average pooling over windows of P x Q pixels, `stride` apart, without padding.

y[b, c, i, j] = max or mean over p, q of x[b, c, i*stride + p, j*stride + q]
"""

OPS = ("maxpool2d_forward", "maxpool2d_backward", "avgpool2d_forward", "avgpool2d_backward")


def output_size(size: int, window: int, stride: int) -> int:
    """Return the number of whole windows that fit."""
    return (size - window) // stride + 1
