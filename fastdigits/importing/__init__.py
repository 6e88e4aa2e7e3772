"""Networks that other programs have trained, one module for each kind of file. Importing this package is light.

The module of a kind has decode(content, layers), which returns an Imported.
"""

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastdigits.errors import UserError, import_with_packages
from fastdigits.files import StrPath

if TYPE_CHECKING:
    import numpy as np

    from fastdigits.nn.layers import Layer

MODULES = {".onnx": "onnx", ".safetensors": "safetensors", ".npz": "npz"}
MAX_BYTES = 2**31  # far beyond any network for digits


@dataclass(frozen=True)
class Imported:
    """A network in a file.

    Attributes
    ----------
    network : dict
        Network.config().
    weights : dict of float32 arrays
        Network.weights().
    metadata : dict
        What an export of fastdigits says about the network; empty for files of other programs.
    """

    network: dict[str, Any]
    weights: "dict[str, np.ndarray]"
    metadata: dict[str, Any] = field(default_factory=dict)


def check_suffix(path: StrPath) -> str:
    """Return the suffix of a file in lower case; raise UserError if it is none of MODULES."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix in MODULES:
        return suffix
    *most, last = MODULES
    reason = f"{path} does not end with {', '.join(most)} or {last}, and only such files can be imported"
    if suffix in (".pt", ".pth", ".bin", ".ckpt"):
        raise UserError(f"{reason}; write the weights of PyTorch with safetensors.torch.save_file.")
    raise UserError(f"{reason}; convert it.")


def decode(path: StrPath, layers: "list[Layer] | None" = None) -> Imported:
    """Read a network from a file.

    Parameters
    ----------
    path : path
        Its suffix, a key of MODULES, decides how to read it.
    layers : list of Layer, optional
        The layers to which the weights belong, for files that do not describe layers.

    Raises
    ------
    UserError
        If the file cannot be read or is damaged, if it has what no layer can compute, or if a package is missing.
    """
    suffix = check_suffix(path)
    module = import_with_packages(
        f"fastdigits.importing.{MODULES[suffix]}",
        lambda error: (
            f"Reading {suffix} needs the package {error.name}, which is not installed; "
            "run pip install 'fastdigits[export]'."
        ),
    )
    try:
        return module.decode(_content(path), layers)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _content(path: StrPath) -> bytes:
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"it cannot be read ({error.strerror or error}); check the path.") from None
    if len(content) > MAX_BYTES:
        raise UserError("it is larger than 2 GB; give a smaller network.")
    return content
