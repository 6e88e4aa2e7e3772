"""Data sets of digits: download, load, split, preprocess and augment them, and make batches.

Functions are imported on first use, so that `--help`, which imports this package for its options, does not load NumPy.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastdigits.data.dataset import DigitPart, DigitSet
    from fastdigits.data.formats.idx import read_images, read_labels
    from fastdigits.data.sources import load_digits, load_images, load_part, read_part, verify
    from fastdigits.data.splits import stratified_split

__all__ = [
    "DigitPart",
    "DigitSet",
    "load_digits",
    "load_images",
    "load_part",
    "read_images",
    "read_labels",
    "read_part",
    "stratified_split",
    "verify",
]

_HOMES = {
    "dataset": ("DigitPart", "DigitSet"),
    "formats.idx": ("read_images", "read_labels"),
    "splits": ("stratified_split",),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES.get(name, 'sources')}"), name)
    globals()[name] = value
    return value
