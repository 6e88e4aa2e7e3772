"""Start training from a trained network: keep its weights and its normalization, and give it other classes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fastdigits.data.preprocessing import Normalisation
from fastdigits.errors import UserError
from fastdigits.nn import Dense, Network
from fastdigits.nn.initializers import initial_value
from fastdigits.storage.weights import SavedNetwork


def for_classes(saved: SavedNetwork, names: Sequence[str], seed: int) -> SavedNetwork:
    """Return the network itself if it knows all classes of these names, else one with a new head; see below."""
    return saved if {*names} <= {*saved.class_names} else with_new_head(saved, names, seed)


def with_new_head(saved: SavedNetwork, names: Sequence[str], seed: int) -> SavedNetwork:
    """Return a network for other classes: its last dense layer has new random weights, all other layers keep theirs.

    Parameters
    ----------
    saved : SavedNetwork
    names : sequence of str
        Names of the classes.
    seed : int

    Raises
    ------
    UserError
        If the scores are not those of a dense layer.

    References
    ----------
    Yosinski et al. (2014), How transferable are features in deep neural networks?
    """
    name = head_of(Network.from_config(saved.network))
    network = Network.from_config(_with_classes(saved.network, name, names))
    weights = {
        key: initial_value(parameter, seed, number) if key.startswith(f"{name}/") else saved.weights[key]
        for number, (key, parameter) in enumerate(network.state().items())
    }
    return replace(saved, network=network.config(), weights=weights, history=[], metrics={}, calibration=None)


def head_of(network: Network) -> str:
    """Return the name of the dense layer whose units are the classes; raise UserError if there is none."""
    layers = {name: layer for name, layer in zip(network.names, network.layers, strict=True) if layer.parameters}
    name = [*layers][-1]
    if not isinstance(layers[name], Dense):
        raise UserError(f"The last layer with parameters, {name}, is not dense, so it cannot take other classes.")
    return name


def normalisation_for(saved: SavedNetwork, images: np.ndarray, rows: np.ndarray) -> Normalisation:
    """Return the normalization of a trained network for images[rows], whose ink may have the other polarity."""
    known = saved.normalisation
    invert = known.preparation.following(images, rows).invert
    return replace(known, preparation=replace(known.preparation, invert=invert))


def _with_classes(config: dict[str, Any], head: str, names: Sequence[str]) -> dict[str, Any]:
    layers = list(config["layers"])
    number = Network.from_config(config).names.index(head)
    layers[number] = layers[number] | {"units": len(names)}
    return config | {"layers": layers, "classes": list(names)}
