"""NumPy archives of arrays by PyTorch's names."""

import zlib
from io import BytesIO
from zipfile import BadZipFile, ZipFile

import numpy as np

from fastdigits.errors import UserError
from fastdigits.importing import MAX_BYTES, Imported
from fastdigits.importing.metadata import parse
from fastdigits.importing.tensors import network_of
from fastdigits.nn.layers import Layer


def decode(content: bytes, layers: list[Layer] | None) -> Imported:
    """Return the network in a file; see importing.decode."""
    try:
        with ZipFile(BytesIO(content)) as archive:
            comment, size = archive.comment, sum(member.file_size for member in archive.infolist())
        if size > MAX_BYTES:
            raise UserError("its arrays are larger than 2 GB; give a smaller network.")
        with np.load(BytesIO(content), allow_pickle=False) as file:
            arrays = {name: np.asarray(file[name]) for name in file}
    except (BadZipFile, EOFError, KeyError, MemoryError, OSError, RuntimeError, ValueError, zlib.error) as error:
        raise UserError("it is not a NumPy archive of numbers, or damaged; write it again with numpy.savez.") from error
    return network_of(arrays, parse(comment) if comment else {}, layers)
