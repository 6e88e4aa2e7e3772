"""Collect the filters of a network."""

from itertools import pairwise

import numpy as np

from fastdigits.inspection.stages import stages_of
from fastdigits.nn.layers import Dense, Flatten
from fastdigits.nn.network import Network


def filter_weights(network: Network, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Collect the weights of convolutions and of dense layers on the pixels of a single channel.

    Parameters
    ----------
    network : Network
    weights : dict of float32 arrays
        Result of `Network.weights()`.

    Returns
    -------
    dict of float32 (filters, channels, rows, columns)
        By the name of the layer. Every unit of a dense layer is a filter of the size of the image.
    """
    image_sizes = _image_sizes(network)
    filters = {}
    for parameter, weight in weights.items():
        name = parameter.replace("/", ".").removesuffix(".weight")
        if weight.ndim == 4:
            filters[name] = weight
        elif name in image_sizes and weight.ndim == 2:
            filters[name] = weight.reshape(len(weight), 1, *image_sizes[name])
    return filters


def _image_sizes(network: Network) -> dict[str, tuple[int, ...]]:
    """Return the rows and columns of the images that dense layers take, by the name of the layer."""
    sizes = {}
    for before, stage in pairwise(stages_of(network)):
        first_layers = [*before.layers[:1], *stage.layers[:1]]
        if len(first_layers) == 2 and isinstance(first_layers[0], Flatten) and isinstance(first_layers[1], Dense):
            channels, *size = first_layers[0].input_shape
            if channels == 1:
                sizes[stage.names[0]] = tuple(size)
    return sizes
