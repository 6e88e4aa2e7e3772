"""PyTorch's names of our parameters: "residual_1/batchnorm_1.gamma" is "residual_1.batchnorm_1.weight"."""

from fastdigits.nn import sequence
from fastdigits.nn.network import Network

LAST = {"gamma": "weight", "beta": "bias"}  # the names that differ


def torch_names(network: Network) -> dict[str, str]:
    """Map PyTorch's name of each parameter and running statistic to ours, in the order of PyTorch's state_dict."""
    return {
        f"{name}.{LAST.get(parameter.name, parameter.name)}": sequence.parameter_name(name, parameter)
        for name, layer in sequence.walk_named(network.names, network.layers)
        if not layer.children()[1]  # else its parameters are those of its children
        for parameter in (*layer.parameters, *layer.running)
    }
