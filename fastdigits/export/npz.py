"""NumPy archives: the arrays of PyTorch's state_dict. The comment of the archive holds the metadata."""

from io import BytesIO
from typing import Any
from zipfile import ZipFile

import numpy as np

from fastdigits.errors import UserError
from fastdigits.export import Exported, ExportOptions
from fastdigits.export.metadata import metadata
from fastdigits.export.tensors import note, state_dict
from fastdigits.storage.weights import SavedNetwork

MAX_COMMENT = 2**16 - 1  # bytes


def encode(saved: SavedNetwork, options: ExportOptions) -> Exported:
    """Return the content of the file; see export.encode."""
    file, arrays = BytesIO(), state_dict(saved)
    comment = metadata(saved).encode()
    if len(comment) > MAX_COMMENT:
        raise UserError("The network has too many layers for .npz; export it as .safetensors.")
    named: dict[str, Any] = arrays
    np.savez(file, **named)
    with ZipFile(file, "a") as archive:
        archive.comment = comment
    return Exported(file.getvalue(), note(arrays))
