"""Edit weights files as a person or another program would."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py


@contextmanager
def edited(path: Path) -> Iterator[h5py.File]:
    """Open a weights file for changes and remove the checksum of its texts, so that the changes are believed."""
    with h5py.File(path, "r+") as file:
        file.attrs.pop("crc32", None)
        yield file
