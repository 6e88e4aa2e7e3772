"""Calls of convolutions that a GPU computes by Winograd's method, at sizes that its tiles do not divide."""

from collections.abc import Iterator

from fastdigits.check import cases
from fastdigits.check.cases import Call
from fastdigits.ops.variants.winograd import OPS

# See cases.CONVOLUTIONS: outputs of 7 x 8, 8 x 8 and 13 x 6 pixels; 11, 12 and 15 channels, of which 4 are transformed
# at a time; 13, 32 and 16 outputs
CONVOLUTIONS = (
    (2, 11, 13, (7, 8), (3, 3), 1, (1, 1), (1, 1)),
    (1, 12, 32, (10, 10), (3, 3), 1, (0, 0), (0, 0)),
    (1, 15, 16, (12, 7), (3, 3), 1, (2, 0), (1, 1)),
)

# See cases.POOLED_CONVOLUTIONS
POOLED_CONVOLUTIONS = (
    (2, 11, 13, (7, 8), (3, 3), (1, 1), (1, 1)),
    (1, 12, 16, (8, 8), (3, 3), (1, 1), (1, 1)),
    (1, 16, 15, (12, 7), (3, 3), (2, 0), (1, 1)),
)


def calls(lanes: int) -> Iterator[Call]:
    """Yield calls of each operation at three sizes, with and without the gradient of a ReLU in turn."""
    for n, convolution in enumerate(CONVOLUTIONS):
        found = *cases._conv2d(lanes, *convolution), *cases._fused_conv2d(lanes, *convolution)
        yield from (call for call in found if call.op in OPS and call.arguments.get("relu_input") != bool(n % 2))
    for n, pooled in enumerate(POOLED_CONVOLUTIONS):
        found = cases._pooled_conv2d(lanes, *pooled)
        yield from (call for call in found if call.op in OPS and call.arguments.get("relu_input") != bool(n % 2))
