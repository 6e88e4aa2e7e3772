"""safetensors: the arrays of PyTorch's state_dict."""

from safetensors.numpy import save

from fastdigits.export import Exported, ExportOptions
from fastdigits.export.metadata import KEY, metadata
from fastdigits.export.tensors import note, state_dict
from fastdigits.storage.weights import SavedNetwork


def encode(saved: SavedNetwork, options: ExportOptions) -> Exported:
    """Return the content of the file; see export.encode."""
    arrays = state_dict(saved)
    return Exported(save(arrays, {KEY: metadata(saved)}), note(arrays))
