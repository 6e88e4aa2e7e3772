"""C99 as a header, whose functions are static: for sketches and for programs of one source file."""

from fastdigits.export import Exported, ExportOptions, c
from fastdigits.storage.weights import SavedNetwork


def encode(saved: SavedNetwork, options: ExportOptions) -> Exported:
    """Return the content of the file; see export.encode."""
    return c.encode(saved, options, header=True)
