"""The arrays that files of tensors hold: the state_dict of the PyTorch module that export.torch writes."""

import numpy as np

from fastdigits.export.names import torch_names
from fastdigits.nn import Network
from fastdigits.storage.weights import SavedNetwork

COUNTER = "num_batches_tracked"  # PyTorch's batch normalizations count their updates; ours do not


def state_dict(saved: SavedNetwork) -> dict[str, np.ndarray]:
    """Return all parameters and running statistics by PyTorch's names."""
    arrays = {}
    for name, ours in torch_names(Network.from_config(saved.network)).items():
        arrays[name] = np.ascontiguousarray(saved.weights[ours], np.float32)
        if name.endswith("running_var"):
            arrays[name.replace("running_var", COUNTER)] = np.array(0, np.int64)
    return arrays


def note(arrays: dict[str, np.ndarray]) -> str:
    """Say in a few words what a file of arrays holds."""
    return f"{len(arrays)} arrays by PyTorch's names; export a .py file for the module that loads them."
