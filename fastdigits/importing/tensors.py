"""Assign arrays with the names of a PyTorch module to the parameters of a network."""

import re
from collections.abc import Iterable
from reprlib import repr as shown
from typing import Any

import numpy as np

from fastdigits.errors import UserError
from fastdigits.export.names import LAST, torch_names
from fastdigits.export.tensors import COUNTER
from fastdigits.importing import Imported
from fastdigits.nn import Network, sequence
from fastdigits.nn.layers import Layer, format_shape

MAX_NAMES = 3  # in messages
KINDS = {"Conv2D": "convolutions", "Dense": "dense layers", "BatchNorm": "batch normalizations"}


def network_of(arrays: dict[str, np.ndarray], metadata: dict[str, Any], layers: list[Layer] | None) -> Imported:
    """Return the network with its weights.

    Parameters
    ----------
    arrays : dict
        In the order of the layers.
    metadata : dict
        Its "architecture" counts if `layers` is None.
    layers : list of Layer, optional

    Raises
    ------
    UserError
        If no layers are known, or the arrays do not fit them.
    """
    if layers:
        network = Network(layers)
    elif isinstance(metadata.get("architecture"), dict):
        network = Network.from_config(metadata["architecture"])
    else:
        raise UserError("it holds weights but does not describe layers; give them with --model NAME or FILE.toml.")
    arrays = {name: _as_float(name, array) for name, array in arrays.items() if not name.endswith(COUNTER)}
    names = torch_names(network)
    if arrays.keys() != names.keys():
        arrays = _renamed(arrays, network)
    state = network.state()
    for name, ours in names.items():
        if arrays[name].shape != state[ours].shape:
            raise UserError(
                f"its array for {name} is {format_shape(arrays[name].shape)}, but the network needs "
                f"{format_shape(state[ours].shape)}; give the --model that was trained."
            )
    return Imported(network.config(), {ours: arrays[name] for name, ours in names.items()}, metadata)


def in_natural_order(names: Iterable[str]) -> list[str]:
    """Sort names so that "conv2" comes before "conv10"."""
    return sorted(
        names, key=lambda name: [(not part.isdigit(), part.zfill(20)) for part in re.findall(r"\d+|\D+", name)]
    )


def _renamed(arrays: dict[str, np.ndarray], network: Network) -> dict[str, np.ndarray]:
    """Give arrays the names of our layers: the n-th convolution has the arrays of our n-th convolution, and so on."""
    owners: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        owner, _, last = name.rpartition(".")
        owners.setdefault(owner, {})[last] = array
    kinds = {owner: _kind(owner, group) for owner, group in owners.items()}
    renamed = {}
    for kind, plural in KINDS.items():
        found = [(owner, group) for owner, group in owners.items() if kinds[owner] == kind]
        walked = sequence.walk_named(network.names, network.layers)
        ours = [(name, layer) for name, layer in walked if type(layer).__name__ == kind]
        if len(found) != len(ours):
            raise UserError(
                f"its number of {plural} is {len(found)}, that of the network {len(ours)}; give the --model that was "
                "trained."
            )
        for (name, layer), (owner, group) in zip(ours, found, strict=True):
            for parameter in (*layer.parameters, *layer.running):
                last = LAST.get(parameter.name, parameter.name)
                default = np.ones if parameter.initializer == "one" else np.zeros
                array = group.pop(last) if last in group else default(parameter.shape, np.float32)
                renamed[f"{name}.{last}"] = array
            if group:
                raise UserError(f"its array {shown(f'{owner}.{min(group)}')} has no place in the network; remove it.")
    return renamed


def _kind(owner: str, group: dict[str, np.ndarray]) -> str:
    """Return the type of the layer that has these arrays."""
    dimensions = group["weight"].ndim if "weight" in group else 1
    if dimensions == 4:
        return "Conv2D"
    if dimensions == 2:
        return "Dense"
    if "running_mean" in group:
        return "BatchNorm"
    names = ", ".join(shown(f"{owner}.{last}".lstrip(".")) for last in sorted(group)[:MAX_NAMES])
    raise UserError(f"its arrays {names} belong to no layer that fastdigits has; remove them.")


def _as_float(name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind != "f":
        raise UserError(f"its array {shown(name)} is of type {array.dtype}; convert it to float32.")
    return np.ascontiguousarray(array, np.float32)
