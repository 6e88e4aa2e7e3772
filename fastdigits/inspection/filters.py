"""Collect the filters of a network as images."""

from itertools import pairwise

import numpy as np

from fastdigits.inspection.stages import stages_of
from fastdigits.nn.layers import Dense, Flatten
from fastdigits.nn.network import Network


def filter_weights(network: Network, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the kernels (filters, channels, rows, columns) by the name of their layer.

    These are convolutions, and a dense layer whose inputs are the pixels of a single channel: then every unit has a
    weight for each pixel.

    Parameters
    ----------
    network : Network
    values : dict of float32 arrays
        As `Network.weights()`.
    """
    seen = _sizes_seen(network)
    kernels = {}
    for parameter, weight in values.items():
        name = parameter.replace("/", ".").removesuffix(".weight")
        if weight.ndim == 4:
            kernels[name] = weight
        elif name in seen and weight.ndim == 2:
            kernels[name] = weight.reshape(len(weight), 1, *seen[name])
    return kernels


def _sizes_seen(network: Network) -> dict[str, tuple[int, ...]]:
    """Rows and columns that dense layers see in a single channel, by the layer's name."""
    sizes = {}
    for before, stage in pairwise(stages_of(network)):
        makers = [*before.layers[:1], *stage.layers[:1]]
        if len(makers) == 2 and isinstance(makers[0], Flatten) and isinstance(makers[1], Dense):
            channels, *size = makers[0].input_shape
            if channels == 1:
                sizes[stage.names[0]] = tuple(size)
    return sizes
