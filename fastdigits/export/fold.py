"""Fold batch normalizations into the layers before them."""

from dataclasses import replace

from fastdigits import ops
from fastdigits.nn import Network, sequence
from fastdigits.nn.inference_graph import inference_graph
from fastdigits.storage.weights import SavedNetwork


def folded(saved: SavedNetwork) -> SavedNetwork:
    """Return a network that computes the same in inference mode.

    Each Conv2D or Dense that a BatchNorm follows computes both. A BatchNorm after another layer remains, and Dropout is
    left out.
    """
    network, reference = Network.from_config(saved.network), ops.load("reference")
    for name, parameter in network.state().items():
        parameter.value = saved.weights[name]
    layers, folds = inference_graph(network.layers)
    for fold in folds:
        fold.allocate(reference)
        fold.update(reference)
    names = sequence.layer_names(layers)
    state = sequence.named_parameters(names, layers, "parameters") | sequence.named_parameters(names, layers, "running")
    weights = {name: parameter.value for name, parameter in state.items()}
    return replace(saved, network=Network(layers, network.input_shape, network.class_names).config(), weights=weights)
