"""The inference graph: layers that compute the same as the trained layers in inference mode, with less work.

| training | inference |
|---|---|
| Conv2D or Dense, BatchNorm | one Conv2D or Dense, whose weights a Fold computes |
| Dropout | nothing |
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace

from fastdigits.nn import sequence
from fastdigits.nn.dropout import Dropout
from fastdigits.nn.layers import Conv2D, Dense, Layer
from fastdigits.nn.normalisation import BatchNorm
from fastdigits.nn.registry import is_built_in
from fastdigits.nn.residual import Residual
from fastdigits.ops.interface import Ops


@dataclass(frozen=True)
class Fold:
    """A layer `folded` that computes the same as `layer` followed by `norm` in inference mode."""

    layer: Conv2D | Dense
    norm: BatchNorm
    folded: Conv2D | Dense

    def allocate(self, ops: Ops) -> None:
        """Allocate the parameters of the folded layer."""
        for parameter in self.folded.parameters:
            parameter.value = ops.empty(parameter.shape)

    def update(self, ops: Ops) -> None:
        """Compute the parameters of the folded layer from the current parameters of the two layers."""
        layer, norm, folded = self.layer, self.norm, self.folded
        running_mean, running_var = norm.running
        ops.batchnorm_fold(
            weight=layer.weight.value.reshape(len(layer.weight.value), -1),
            bias=layer.bias.value,
            gamma=norm.gamma.value,
            beta=norm.beta.value,
            mean=running_mean.value,
            var=running_var.value,
            epsilon=float(norm.epsilon),
            folded_weight=folded.weight.value.reshape(len(folded.weight.value), -1),
            folded_bias=folded.bias.value,
        )


def needs_inference_graph(layers: Sequence[Layer]) -> bool:
    """Return whether `inference_graph` would simplify the layers."""
    return any(isinstance(layer, BatchNorm | Dropout) for layer in sequence.walk(layers))


def inference_graph(layers: Sequence[Layer]) -> tuple[list[Layer], list[Fold]]:
    """Return the layers for inference and the folds to update before running them.

    Layers that are not folded share the parameters of the given ones, but have their own buffers.
    """
    rest = [layer for layer in layers if not isinstance(layer, Dropout)]
    graph: list[Layer] = []
    folds: list[Fold] = []
    while rest:
        match rest:
            case [Conv2D() | Dense() as layer, BatchNorm() as norm, *rest] if is_built_in(layer) and is_built_in(norm):
                folded = replace(layer)
                folded.connect(layer.input_shape)
                folds.append(Fold(layer, norm, folded))
                graph.append(folded)
            case [Residual() as block, *rest]:
                inner, inner_folds = inference_graph(block.layers)
                folds += inner_folds
                graph.append(block.with_layers(inner))
            case [layer, *rest]:
                graph.append(copy(layer))
    return graph, folds
