"""What layers do once they have learned, with less work.

| layers | in use |
|---|---|
| Conv2D or Dense, BatchNorm | one layer of other weights: FoldedConv2D or FoldedDense |
| Dropout | nothing |
"""

from copy import copy

from fastdigits.nn import sequence
from fastdigits.nn.dropout import Dropout
from fastdigits.nn.layers import Conv2D, Dense, Layer
from fastdigits.nn.normalisation import BatchNorm
from fastdigits.nn.parameter import Parameter
from fastdigits.nn.residual import Residual
from fastdigits.ops.interface import Ops


class Folded:
    """A linear layer and the batch normalisation of its output by the running statistics, as one layer."""

    def __init__(self, layer: Conv2D | Dense, norm: BatchNorm):
        self.__dict__.update(vars(layer))
        self.layer, self.norm = layer, norm
        self.weight, self.bias = Parameter("weight", layer.weight.shape), Parameter("bias", layer.bias.shape)

    def prepare(self, ops: Ops) -> None:
        """Make room for the weights."""
        self.ops = ops
        for parameter in (self.weight, self.bias):
            parameter.value = ops.empty(parameter.shape)

    def fold(self) -> None:
        """Take over what the two layers have learned since."""
        norm, rows = self.norm, (self.weight.shape[0], -1)
        kept = self.layer.weight, self.layer.bias, norm.gamma, norm.beta, *norm.running
        weight, *others = (parameter.value for parameter in kept)
        filled = self.weight.value.reshape(rows), self.bias.value
        self.ops.batchnorm_fold(weight.reshape(rows), *others, float(norm.epsilon), *filled)


class FoldedConv2D(Folded, Conv2D):
    """A convolution with the normalisation after it."""


class FoldedDense(Folded, Dense):
    """A dense layer with the normalisation after it."""


def for_inference(layers: list[Layer]) -> list[Layer]:
    """Layers with the same parameters that do the same in use: the very same ones unless they have less to do."""
    if any(isinstance(layer, BatchNorm | Dropout) for layer in sequence.walk(layers)):
        return _lightened(layers)
    return layers


def _lightened(layers: list[Layer]) -> list[Layer]:
    rest = [copy(layer) for layer in layers if not isinstance(layer, Dropout)]
    used = []
    while rest:
        layer = rest.pop(0)
        if isinstance(layer, Residual):
            layer.layers, layer.skip = _lightened(layer.layers), copy(layer.skip)
        elif isinstance(layer, Conv2D | Dense) and rest and isinstance(rest[0], BatchNorm):
            kind = FoldedConv2D if isinstance(layer, Conv2D) else FoldedDense
            layer = kind(layer, rest.pop(0))
        used.append(layer)
    return used
