"""What layers do once they have learned, with less work.

| layers | in use |
|---|---|
| Conv2D, BatchNorm | one convolution: FoldedConv2D |
| Dropout | nothing |
"""

from copy import copy
from typing import Any

from fastdigits.nn import chain
from fastdigits.nn.dropout import Dropout
from fastdigits.nn.layers import Conv2D, Layer
from fastdigits.nn.normalisation import BatchNorm
from fastdigits.nn.parameter import Parameter
from fastdigits.nn.residual import Residual


class FoldedConv2D(Conv2D):
    """A convolution and the batch normalisation of its output by the running statistics, as one convolution."""

    def __init__(self, conv: Conv2D, norm: BatchNorm):
        self.__dict__.update(vars(conv))
        self.conv, self.norm = conv, norm
        self.weight, self.bias = Parameter("weight", conv.weight.shape), Parameter("bias", conv.bias.shape)

    def prepare(self, ops: Any) -> None:
        """Make room for the weights."""
        self.ops = ops
        for parameter in (self.weight, self.bias):
            parameter.value = ops.empty(parameter.shape)

    def fold(self) -> None:
        """Take over what the two layers have learned since."""
        given, norm = (self.conv.weight, self.conv.bias), self.norm
        weight, bias, *statistics = (p.value for p in (*given, norm.gamma, norm.beta, *norm.running))
        rows = self.filters, -1
        filled = self.weight.value.reshape(rows), self.bias.value
        self.ops.batchnorm_fold(weight.reshape(rows), bias, *statistics, float(norm.epsilon), *filled)


def in_use(layers: list[Layer]) -> list[Layer]:
    """Layers with the same parameters that do the same in use: the very same ones unless they have less to do."""
    if any(isinstance(layer, BatchNorm | Dropout) for layer in chain.everything(layers)):
        return _lightened(layers)
    return layers


def _lightened(layers: list[Layer]) -> list[Layer]:
    rest = [copy(layer) for layer in layers if not isinstance(layer, Dropout)]
    used = []
    while rest:
        layer = rest.pop(0)
        if isinstance(layer, Residual):
            layer.layers, layer.skip = _lightened(layer.layers), copy(layer.skip)
        elif isinstance(layer, Conv2D) and rest and isinstance(rest[0], BatchNorm):
            layer = FoldedConv2D(layer, rest.pop(0))
        used.append(layer)
    return used
