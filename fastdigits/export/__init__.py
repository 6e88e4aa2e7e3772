"""Trained networks in the formats of other programs, one module each. Importing this package is light.

The module of a format has encode(saved, options), which returns an Exported. A new format is one module and one line in
FORMATS.
"""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastdigits.errors import UserError, import_with_packages

if TYPE_CHECKING:
    from fastdigits.storage.weights import SavedNetwork


@dataclass(frozen=True)
class Format:
    """A format of other programs.

    Parameters
    ----------
    module : str
        Of this package.
    suffix : str
        Of its files.
    preprocessing : bool
        Whether a file can contain the preprocessing.
    int8 : bool
        Whether the network can be quantized.
    """

    module: str
    suffix: str
    preprocessing: bool = False
    int8: bool = False


# The first format with a suffix is the one that the suffix selects
FORMATS = {
    "onnx": Format("onnx", ".onnx", preprocessing=True),
    "safetensors": Format("safetensors", ".safetensors"),
    "npz": Format("npz", ".npz"),
    "torch": Format("torch", ".py"),
    "keras": Format("keras", ".py"),
    "html": Format("html", ".html"),
    "c": Format("c", ".c", int8=True),
    "header": Format("header", ".h", int8=True),
}
INPUTS = ("uint8", "float")


@dataclass(frozen=True)
class ExportOptions:
    """Options of an export.

    Parameters
    ----------
    fold : bool
        Whether to fold batch normalizations into the layers before them, and to leave out dropout.
    preprocessing : str, optional
        Put the preprocessing of images into the file. Its input has pixels as "uint8" from 0 to 255 or as "float" from
        0 to 1. If None, images must be preprocessed.
    int8 : bool
        Whether to quantize the network to int8.
    """

    fold: bool = False
    preprocessing: str | None = None
    int8: bool = False


@dataclass(frozen=True)
class Exported:
    """The content of a file, a few words about it for the user, and lines that go into more detail."""

    content: bytes
    note: str
    details: str = ""


def format_of(path: str) -> str:
    """Return the name of the format that the suffix of a file selects; raise UserError if there is none."""
    suffix = os.path.splitext(path)[1].lower()
    for name, one in FORMATS.items():
        if one.suffix == suffix:
            return name
    *most, last = dict.fromkeys(one.suffix for one in FORMATS.values())
    raise UserError(f"'{path}' does not end with {', '.join(most)} or {last}; choose one of them, or give --to.")


def encode(saved: "SavedNetwork", name: str, options: ExportOptions) -> Exported:
    """Return a network in a format.

    Raises
    ------
    UserError
        If the format cannot express one of its layers or options, or needs a package that is not installed.
    """
    if options.preprocessing and not FORMATS[name].preprocessing:
        raise UserError(f"The format {name} cannot contain the preprocessing; leave --preprocessing out.")
    if options.int8 and not FORMATS[name].int8:
        raise UserError(f"The format {name} cannot be quantized; leave --int8 out.")
    module = import_with_packages(
        f"fastdigits.export.{FORMATS[name].module}",
        lambda error: (
            f"The format {name} needs the package {error.name}, which is not installed; "
            "run pip install 'fastdigits[export]'."
        ),
    )
    if options.fold:
        from fastdigits.export.fold import folded

        saved = folded(saved)
    return module.encode(saved, options)
