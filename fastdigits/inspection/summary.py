"""The layers of a network in numbers and words."""

from typing import Any

from fastdigits.nn.network import Network
from fastdigits.nn.sequence import walk_named


def layer_rows(network: Network) -> list[dict[str, Any]]:
    """Each layer as plain JSON types: layer, type, output_shape, kernel, parameters and multiply_adds.

    Those of a layer that is made of others are listed with these.
    """
    return [
        {
            "layer": name,
            "type": type(layer).__name__,
            "output_shape": list(layer.output_shape),
            "kernel": format_kernel(layer),
            "parameters": 0 if layer.children()[1] else sum(parameter.size for parameter in layer.parameters),
            "multiply_adds": 0 if layer.children()[1] else layer.multiply_adds(),
        }
        for name, layer in walk_named(network.names, network.layers)
    ]


def format_kernel(layer: Any) -> str:
    """Rows and columns of a layer's kernel or window and its stride, such as "3 x 3, stride 2"; else ""."""
    if hasattr(layer, "weight") and len(layer.weight.shape) == 4:
        kernel = "{} x {}".format(*layer.weight.shape[2:])
        return kernel + (f", stride {layer.stride}" if layer.stride > 1 else "")
    return "{} x {}, stride {}".format(*layer.size, layer.stride) if hasattr(layer, "window") else ""
