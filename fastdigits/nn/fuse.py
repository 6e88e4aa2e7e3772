"""Which chains of layers run as one operation.

| layers | step |
|---|---|
| Dense or Conv2D, ReLU, and then (after Flatten) Dense or Conv2D | the first rectifies, the last takes the gradient |
| Conv2D of stride 1, ReLU, MaxPool2D or AvgPool2D of 2 x 2, 2 apart | ConvReLUPool |
| BatchNorm or Residual, ReLU | the first rectifies, both ways |
"""

import numpy as np

from fastdigits.nn.layers import Conv2D, Dense, Flatten, Layer, ReLU, TrainingStep
from fastdigits.nn.normalisation import BatchNorm
from fastdigits.nn.pooling import AvgPool2D, MaxPool2D
from fastdigits.nn.residual import Residual
from fastdigits.ops.interface import Array, Ops


class ConvReLUPool(Layer):
    """A convolution, its ReLU and its pooling as one step."""

    def __init__(self, conv: Conv2D, relu: ReLU, pool: MaxPool2D | AvgPool2D):
        self.parts, self.conv = (conv, relu, pool), conv
        self.input_shape, self.output_shape = conv.input_shape, pool.output_shape
        self.parameters, self.pool = conv.parameters, "maxpool" if isinstance(pool, MaxPool2D) else "avgpool"

    def allocate(self, ops: Ops, blocks: int, training: bool) -> None:
        super().allocate(ops, blocks, training)
        self.conv.ops = ops
        self.pool_mask = ops.empty(self.y.shape, np.uint8)
        names = (f"conv2d_relu_{self.pool}_{part}" for part in ("forward", "backward", "backward_weight"))
        self.pooled_forward, self.pooled_backward, self.pooled_backward_weight = (getattr(ops, name) for name in names)

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        self.x, conv = x, self.conv
        self.pooled_forward(x, conv.weight.value, conv.bias.value, conv.top, conv.left, self.y, self.pool_mask)
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        conv = self.conv
        place, gradients = (conv.top, conv.left), (conv.weight.gradient, conv.bias.gradient)
        if not input_gradient:
            self.pooled_backward_weight(self.x, dy, self.pool_mask, *place, *gradients)
            return None
        given = self.x, dy, self.pool_mask, conv.weight.value, *place, self.masks_input_gradient
        self.pooled_backward(*given, self.dx, *gradients)
        return self.dx

    def multiply_adds(self) -> int:
        return self.conv.multiply_adds()


def plain(layers: list[Layer]) -> list[Layer]:
    """Every layer as a step of its own."""
    for layer in layers:
        layer.applies_relu = layer.masks_input_gradient = False
        if isinstance(layer, Residual):
            layer.steps = plain(layer.layers)
    return list(layers)


def fuse(layers: list[Layer], forward_only: bool = False) -> list[Layer]:
    """The steps that do what the layers do, with the chains of the table as one step each.

    With `forward_only`, where no step will have to take another's gradient, Dense and Conv2D rectify whatever follows.
    """
    steps, rest = [], plain(layers)
    while rest:
        if isinstance(rest[0], Residual):
            rest[0].steps = fuse(rest[0].layers, forward_only)
        if _is_pooled_convolution(rest[:3]):
            steps.append(ConvReLUPool(*rest[:3]))
            del rest[:3]
        elif _rectifies_itself(rest[:2]) or (_is_rectified(rest[:2]) and (forward_only or _next_learning(rest[2:]))):
            rest[0].applies_relu = True
            steps.append(rest[0])
            del rest[:2]
        else:
            steps.append(rest.pop(0))
    rectified = False
    for step in steps:
        if not isinstance(step, Flatten):  # which hands the gradient through
            step.masks_input_gradient = rectified
            rectified = step.applies_relu and not isinstance(step, BatchNorm | Residual)
    return steps


def _rectifies_itself(layers: list[Layer]) -> bool:
    return len(layers) == 2 and isinstance(layers[0], BatchNorm | Residual) and isinstance(layers[1], ReLU)


def _is_rectified(layers: list[Layer]) -> bool:
    return len(layers) == 2 and isinstance(layers[0], Dense | Conv2D) and isinstance(layers[1], ReLU)


def _is_pooled_convolution(layers: list[Layer]) -> bool:
    if len(layers) < 3 or not _is_rectified(layers[:2]) or not isinstance(layers[0], Conv2D):
        return False
    pool = layers[2]
    return layers[0].stride == 1 and isinstance(pool, MaxPool2D | AvgPool2D) and (pool.size, pool.stride) == ((2, 2), 2)


def _next_learning(layers: list[Layer]) -> bool:
    """Whether the next layer that is not merely Flatten can take the ReLU's gradient upon itself."""
    layers = layers[1:] if layers and isinstance(layers[0], Flatten) else layers
    return bool(layers) and isinstance(layers[0], Dense | Conv2D)
