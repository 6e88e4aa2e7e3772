"""Tabulate the layers of a network."""

from collections.abc import Sequence
from typing import Any

from fastdigits.nn.layers import Conv2D, Layer
from fastdigits.nn.network import Network
from fastdigits.nn.pooling import Pool2D
from fastdigits.nn.sequence import walk_named


def layer_rows(network: Network) -> list[dict[str, Any]]:
    """Return a row for each layer, nested ones included, as JSON types.

    Returns
    -------
    list of dict
        layer (name), type, output_shape, kernel, parameters and multiply_adds (of one image). The last two are 0 for
        layers with nested layers, whose rows have them.
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


def format_kernel(layer: Layer) -> str:
    """Format the kernel or window of a layer and its stride, such as "3 x 3, stride 2"; "" if it has none."""
    if isinstance(layer, Conv2D):
        _, _, P, Q = layer.weight.shape
        return f"{P} x {Q}, stride {layer.stride}" if layer.stride > 1 else f"{P} x {Q}"
    if isinstance(layer, Pool2D):
        rows, columns = layer.size
        return f"{rows} x {columns}, stride {layer.stride}"
    return ""


def layer_table(title: str, input_shape: Sequence[int], rows: Sequence[dict[str, Any]]) -> str:
    """Return the rows of `layer_rows` as a table, with the title in its head and the totals in its last line."""

    def shape(sizes: Sequence[int]) -> str:
        return " x ".join(map(str, sizes))

    width = max(14, *(len(row["layer"]) + 2 for row in rows))
    line = f"{{:{width}}}{{:>16}}   {{:18}}{{:>12}}{{:>16}}".format
    lines = [
        line(title, "output shape", "kernel", "parameters", "multiply-adds"),
        line("input", shape(input_shape), "", "", ""),
    ]
    for row in rows:
        numbers = [f"{row[key]:,}" if row[key] else "" for key in ("parameters", "multiply_adds")]
        lines.append(line(row["layer"], shape(row["output_shape"]), row["kernel"], *numbers))
    totals = [f"{sum(row[key] for row in rows):,}" for key in ("parameters", "multiply_adds")]
    lines.append(line("total", "", "", *totals))
    return "\n".join(text.rstrip() for text in lines)


class Table(str):
    """Text of several lines, which Python's prompt and notebooks show as it is."""

    def __repr__(self) -> str:
        return str(self)
