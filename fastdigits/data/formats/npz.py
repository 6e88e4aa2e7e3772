"""Read NPZ files of NumPy, such as Keras' mnist.npz."""

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from fastdigits.data.formats.arrays import contents_of, find_pairs
from fastdigits.data.formats.opening import check_expansion
from fastdigits.data.formats.types import Contents
from fastdigits.errors import UserError

MAX_BYTES = 4 << 30  # of all arrays


def open_file(path: Path) -> Contents:
    """Read the arrays of an NPZ file, such as x_train, y_train, x_test and y_test, or x and y.

    Raises
    ------
    UserError
        If the file is damaged, too large, holds objects, or has no array whose name tells that it holds images.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info.file_size for info in archive.infolist()}
        if sum(members.values()) > MAX_BYTES:
            raise UserError(f"{path} unpacks to more than {MAX_BYTES >> 30} GiB; save a smaller part of it.")
        check_expansion(path, sum(members.values()))
        pairs, notes = find_pairs([*members], path)
        wanted = {name for pair in pairs.values() for name in pair}
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in members if name in wanted}
    except UserError:
        raise
    except Exception as error:  # of a damaged file NumPy and zipfile raise almost any
        if "pickle" in str(error).lower() or "object" in str(error).lower():
            raise UserError(
                f"{path} holds Python objects, which may run code; save plain arrays of numbers."
            ) from error
        raise UserError(f"{path} is damaged or cut short; copy or download it again.") from error
    return replace(contents_of(arrays, path, may_be_transposed="emnist" in path.name.lower()), notes=notes)
