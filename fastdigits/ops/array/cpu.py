"""The CPU's arrays are NumPy's, so the definitions serve as they are."""

from fastdigits.ops.array.reference import (
    accumulate,
    captured,
    download,
    empty,
    pack,
    unpack,
    upload,
    write,
    zeros,
)

__all__ = ["accumulate", "captured", "download", "empty", "pack", "unpack", "upload", "write", "zeros"]
