"""Fusion: chains of layers that run as one step.

| layers | step |
|---|---|
| Conv2D with stride 1, ReLU, MaxPool2D or AvgPool2D of 2 x 2 with stride 2 | ConvReLUPool |
| Dense or Conv2D, ReLU, then (after Flatten) Dense or Conv2D | FusedDense or FusedConv2D for the first and the last |
| BatchNorm that is not frozen, ReLU | BatchNormReLU |
| Residual, or Residual, ReLU | FusedResidual, whose layers are fused too |

All other layers run unchanged, and so do layers from outside of the package. A fused step refers to its layers and uses
their parameters, but has its own buffers.
"""

from collections.abc import Sequence
from itertools import dropwhile, takewhile
from typing import Any

import numpy as np

from fastdigits.nn import sequence
from fastdigits.nn.layers import Conv2D, Dense, Flatten, Layer, ReLU, TrainingStep, vectors
from fastdigits.nn.normalisation import BatchNorm, planes
from fastdigits.nn.parameter import Parameter
from fastdigits.nn.pooling import AvgPool2D, MaxPool2D
from fastdigits.nn.registry import is_built_in
from fastdigits.nn.residual import Residual
from fastdigits.nn.sequence import Step
from fastdigits.ops.interface import Array, Ops


def fuse(layers: Sequence[Layer], forward_only: bool = False) -> list[Step]:
    """Return steps that compute the layers, with one step for each chain in the table above.

    Pass `forward_only` if `backward` is never called: Dense and Conv2D then include a ReLU no matter what follows it.
    """
    steps: list[Step] = []
    rest, after_relu = list(layers), False  # after_relu: the next step computes the gradient of the preceding ReLU
    while rest:
        step = _next_step(rest, after_relu, forward_only)
        if not isinstance(step, Flatten):
            after_relu = not forward_only and isinstance(step, FusedDense | FusedConv2D) and step.relu is not None
        steps.append(step)
        del rest[: len(step.parts)]
    return steps


def _next_step(layers: Sequence[Layer], after_relu: bool, forward_only: bool) -> Step:
    """Return the step for the first layer, or for the chain that it starts."""
    match list(takewhile(is_built_in, layers)):
        case [Conv2D() as conv, ReLU() as relu, MaxPool2D() | AvgPool2D() as pool, *_] if _pools_in_place(conv, pool):
            return ConvReLUPool(conv, relu, pool, after_relu)
        case [Conv2D() as conv, ReLU() as relu, *after] if forward_only or _takes_relu_gradient(after):
            return FusedConv2D(conv, relu, after_relu)
        case [Dense() as dense, ReLU() as relu, *after] if forward_only or _takes_relu_gradient(after):
            return FusedDense(dense, relu, after_relu)
        case [Conv2D() as conv, *_] if after_relu:
            return FusedConv2D(conv, None, after_relu)
        case [Dense() as dense, *_] if after_relu:
            return FusedDense(dense, None, after_relu)
        case [BatchNorm() as norm, ReLU() as relu, *_] if not norm.frozen:
            return BatchNormReLU(norm, relu)
        case [Residual() as block, ReLU() as relu, *_]:
            return FusedResidual(block, fuse(block.layers, forward_only), relu)
        case [Residual() as block, *_]:
            return FusedResidual(block, fuse(block.layers, forward_only), None)
    return layers[0]


def _pools_in_place(conv: Conv2D, pool: MaxPool2D | AvgPool2D) -> bool:
    return (conv.stride, pool.size, pool.stride) == (1, (2, 2), 2)


def _takes_relu_gradient(layers: Sequence[Layer]) -> bool:
    """Return whether the first layer other than Flatten can compute the gradient of the preceding ReLU."""
    return isinstance(next(dropwhile(lambda layer: isinstance(layer, Flatten), layers), None), Dense | Conv2D)


class FusedStep:
    """Base class of steps that compute several layers, or one layer and the gradient of the preceding ReLU."""

    def __init__(self, *parts: Layer | None):
        self.parts = [part for part in parts if part]

    @property
    def parameters(self) -> Sequence[Parameter]:
        """The parameters of the layers."""
        return [parameter for part in self.parts for parameter in part.parameters]

    def allocate(self, ops: Ops, blocks: int, training: bool) -> None:
        """See Layer.allocate."""
        self.ops = ops
        self.y = ops.empty((blocks, *self.parts[-1].output_shape, ops.lanes))
        self.dx: Any = ops.empty((blocks, *self.parts[0].input_shape, ops.lanes)) if training else None

    def multiply_adds(self) -> int:
        """See Layer.multiply_adds."""
        return sum(part.multiply_adds() for part in self.parts)


class FusedConv2D(FusedStep):
    """A convolution, optionally followed by a ReLU.

    `backward` takes the gradient of the convolution's output: the next step computes the gradient of the ReLU. With
    `after_relu` the input comes from a ReLU, and `backward` returns the gradient of the input of that ReLU.
    """

    def __init__(self, conv: Conv2D, relu: ReLU | None, after_relu: bool):
        super().__init__(conv, relu)
        self.conv, self.relu, self.after_relu = conv, relu, after_relu

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        """See Layer.forward."""
        self.x, conv = x, self.conv
        forward = self.ops.conv2d_relu_forward if self.relu else self.ops.conv2d_forward
        forward(
            x=x,
            weight=conv.weight.value,
            bias=conv.bias.value,
            stride=conv.stride,
            top=conv.top,
            left=conv.left,
            y=self.y,
        )
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        """See Layer.backward."""
        conv = self.conv
        if input_gradient:
            self.ops.conv2d_backward(
                x=self.x,
                dy=dy,
                weight=conv.weight.value,
                stride=conv.stride,
                top=conv.top,
                left=conv.left,
                relu_input=self.after_relu,
                dx=self.dx,
                dweight=conv.weight.gradient,
                dbias=conv.bias.gradient,
            )
        else:
            self.ops.conv2d_backward_weight(
                x=self.x,
                dy=dy,
                stride=conv.stride,
                top=conv.top,
                left=conv.left,
                dweight=conv.weight.gradient,
                dbias=conv.bias.gradient,
            )
        return self.dx


class FusedDense(FusedStep):
    """A dense layer, optionally followed by a ReLU; `backward` works as in FusedConv2D."""

    def __init__(self, dense: Dense, relu: ReLU | None, after_relu: bool):
        super().__init__(dense, relu)
        self.dense, self.relu, self.after_relu = dense, relu, after_relu

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        """See Layer.forward."""
        self.x = x
        forward = self.ops.dense_relu_forward if self.relu else self.ops.dense_forward
        forward(x=x, weight=self.dense.weight.value, bias=self.dense.bias.value, y=self.y)
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        """See Layer.backward."""
        weight, bias = self.dense.weight, self.dense.bias
        if input_gradient:
            self.ops.dense_backward(
                x=self.x,
                dy=dy,
                weight=weight.value,
                relu_input=self.after_relu,
                dx=self.dx,
                dweight=weight.gradient,
                dbias=bias.gradient,
            )
        else:
            self.ops.dense_backward_weight(x=self.x, dy=dy, dweight=weight.gradient, dbias=bias.gradient)
        return self.dx


class ConvReLUPool(FusedStep):
    """A convolution, followed by a ReLU and 2 x 2 pooling; `after_relu` works as in FusedConv2D."""

    def __init__(self, conv: Conv2D, relu: ReLU, pool: MaxPool2D | AvgPool2D, after_relu: bool):
        super().__init__(conv, relu, pool)
        self.conv, self.after_relu = conv, after_relu
        self.takes_maximum = isinstance(pool, MaxPool2D)

    def allocate(self, ops: Ops, blocks: int, training: bool) -> None:
        """See Layer.allocate."""
        super().allocate(ops, blocks, training)
        self.pool_mask = ops.empty((blocks if training else 0, *self.y.shape[1:]), np.uint8)  # for backward only

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        """See Layer.forward."""
        self.x, ops, conv = x, self.ops, self.conv
        forward = ops.conv2d_relu_maxpool_forward if self.takes_maximum else ops.conv2d_relu_avgpool_forward
        forward(
            x=x,
            weight=conv.weight.value,
            bias=conv.bias.value,
            top=conv.top,
            left=conv.left,
            y=self.y,
            pool_mask=self.pool_mask,
        )
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        """See Layer.backward."""
        ops, conv = self.ops, self.conv
        if input_gradient:
            backward = ops.conv2d_relu_maxpool_backward if self.takes_maximum else ops.conv2d_relu_avgpool_backward
            backward(
                x=self.x,
                dy=dy,
                pool_mask=self.pool_mask,
                weight=conv.weight.value,
                top=conv.top,
                left=conv.left,
                relu_input=self.after_relu,
                dx=self.dx,
                dweight=conv.weight.gradient,
                dbias=conv.bias.gradient,
            )
        else:
            backward_weight = (
                ops.conv2d_relu_maxpool_backward_weight
                if self.takes_maximum
                else ops.conv2d_relu_avgpool_backward_weight
            )
            backward_weight(
                x=self.x,
                dy=dy,
                pool_mask=self.pool_mask,
                top=conv.top,
                left=conv.left,
                dweight=conv.weight.gradient,
                dbias=conv.bias.gradient,
            )
        return self.dx


class BatchNormReLU(FusedStep):
    """A batch normalization, followed by a ReLU."""

    def __init__(self, norm: BatchNorm, relu: ReLU):
        super().__init__(norm, relu)
        self.norm = norm

    def allocate(self, ops: Ops, blocks: int, training: bool) -> None:
        """See Layer.allocate."""
        super().allocate(ops, blocks, training)
        self.mean, self.var = ops.empty(self.norm.gamma.shape), ops.empty(self.norm.gamma.shape)

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        """See Layer.forward."""
        self.x, norm = x, self.norm
        running_mean, running_var = norm.running
        if training:
            self.count = training.count
            self.ops.batchnorm_relu_forward(
                x=planes(x),
                gamma=norm.gamma.value,
                beta=norm.beta.value,
                count=training.count,
                epsilon=float(norm.epsilon),
                momentum=float(norm.momentum),
                running_mean=running_mean.value,
                running_var=running_var.value,
                mean=self.mean,
                var=self.var,
                y=planes(self.y),
            )
        else:
            self.ops.batchnorm_relu_inference(
                x=planes(x),
                gamma=norm.gamma.value,
                beta=norm.beta.value,
                mean=running_mean.value,
                var=running_var.value,
                epsilon=float(norm.epsilon),
                y=planes(self.y),
            )
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        """See Layer.backward."""
        norm = self.norm
        self.ops.batchnorm_relu_backward(
            x=planes(self.x),
            y=planes(self.y),
            dy=planes(dy),
            gamma=norm.gamma.value,
            mean=self.mean,
            var=self.var,
            count=self.count,
            epsilon=float(norm.epsilon),
            dgamma=norm.gamma.gradient,
            dbeta=norm.beta.gradient,
            dx=planes(self.dx),
        )
        return self.dx


class FusedResidual(FusedStep):
    """A residual block that runs `steps` instead of its layers, optionally followed by a ReLU."""

    def __init__(self, block: Residual, steps: list[Step], relu: ReLU | None):
        super().__init__(block, relu)
        self.steps, self.skip, self.relu = steps, block.skip, relu

    def allocate(self, ops: Ops, blocks: int, training: bool) -> None:
        """See Layer.allocate."""
        super().allocate(ops, blocks, training)
        self.dsum: Any = ops.empty(self.y.shape) if training and self.relu else None
        for step in [*self.steps, *([self.skip] if self.skip else [])]:
            step.allocate(ops, blocks, training)

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        """See Layer.forward."""
        skipped = self.skip.forward(x, training) if self.skip else x
        x = sequence.forward(self.steps, x, training)
        add = self.ops.add_relu if self.relu else self.ops.add
        add(vectors(x), vectors(skipped), vectors(self.y))
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        """See Layer.backward."""
        if self.relu:
            self.ops.relu_backward(vectors(self.y), vectors(dy), vectors(self.dsum))
            dy = self.dsum
        skipped = self.skip.backward(dy, input_gradient) if self.skip else dy
        dx = sequence.backward(self.steps, dy, input_gradient)
        if input_gradient:
            self.ops.add(vectors(dx), vectors(skipped), vectors(self.dx))
        return self.dx
