"""Read MAT files of MATLAB, such as those of EMNIST: version 5 with SciPy, version 7.3 with h5py."""

import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from fastdigits.data.formats import hdf5
from fastdigits.data.formats.arrays import contents_of
from fastdigits.data.formats.opening import check_expansion
from fastdigits.data.formats.types import Contents
from fastdigits.errors import UserError

MAX_BYTES = 4 << 30
HEADER_BYTES, COMPRESSED = 128, 15
MAX_DEPTH = 5  # of structures


def open_file(path: Path, version_7_3: bool) -> Contents:
    """Read the arrays of a MAT file, on their own or in structures like the `dataset` of EMNIST.

    Raises
    ------
    UserError
        If the file is damaged or too large, or has no array whose name tells that it holds images.
    """
    if version_7_3:  # which is HDF5 with the axes in the order of MATLAB
        arrays = {name: values.T for name, values in hdf5.read_arrays(path).items()}
    else:
        check_expansion(path, _unpacked_bytes(path))
        arrays = _load(path)
    mapping = next((arrays.pop(name) for name in [*arrays] if name.split(".")[-1] == "mapping"), None)
    return contents_of(arrays, path, names=_names(mapping), may_be_transposed=True)


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = scipy.io.loadmat(path, simplify_cells=True)
    except MemoryError as error:
        raise UserError(f"{path} claims to hold more than the memory; take an intact copy.") from error
    except Exception as error:  # of a damaged file SciPy raises almost any
        raise UserError(f"{path} is damaged or cut short; copy or download it again.") from error
    return dict(_flat(content))


def _flat(value: dict, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the names and values of all arrays in nested structures."""
    for name, inner in value.items():
        if name.startswith("__"):
            continue
        if isinstance(inner, dict) and depth < MAX_DEPTH:
            yield from _flat(inner, f"{prefix}{name}.", depth + 1)
        elif isinstance(inner, np.ndarray) and inner.dtype.kind in "biufU":
            yield f"{prefix}{name}", inner


def _unpacked_bytes(path: Path) -> int:
    """Add up the sizes of the compressed elements of a file of version 5, holding little of them at a time."""
    total = 0
    with open(path, "rb") as file:
        header = file.read(HEADER_BYTES)
        order: Any = "big" if header[126:128] == b"MI" else "little"
        while len(tag := file.read(8)) == 8:
            kind, size = int.from_bytes(tag[:4], order), int.from_bytes(tag[4:], order)
            if kind != COMPRESSED:
                file.seek(size, 1)
                continue
            unpack, left = zlib.decompressobj(), size
            while left > 0 and (piece := file.read(min(left, 1 << 16))):
                left -= len(piece)
                try:
                    while piece:
                        total += len(unpack.decompress(piece, 1 << 20))
                        piece = unpack.unconsumed_tail
                except zlib.error as error:
                    raise UserError(f"{path} is damaged ({error}); copy or download it again.") from error
                if total > MAX_BYTES:
                    raise UserError(f"{path} unpacks to more than {MAX_BYTES >> 30} GiB; save a smaller part of it.")
    return total


def _names(mapping: np.ndarray | None) -> dict[str, str] | None:
    """Return the names of the classes from rows of a label and the ASCII codes of its characters."""
    if mapping is None or mapping.ndim != 2 or mapping.shape[1] < 2 or mapping.dtype.kind not in "iuf":
        return None
    rows = mapping[:, :2].tolist()
    if not all(value == int(value) and 32 < code < 127 for value, code in rows):
        return None
    return {str(int(value)): chr(int(code)) for value, code in rows}
