"""The CPU's arrays are NumPy's, so the definitions serve as they are."""

from fastdigits.ops.array.reference import accumulate, download, empty, pack, unpack, upload, zeros

__all__ = ["accumulate", "download", "empty", "pack", "unpack", "upload", "zeros"]
