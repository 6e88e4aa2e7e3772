"""Array operations of the CPU. Its arrays are NumPy arrays, so the references are used as they are."""

from fastdigits.ops.array.reference import accumulate, captured, download, empty, pack, unpack, upload, write, zeros

__all__ = ["accumulate", "captured", "download", "empty", "pack", "unpack", "upload", "write", "zeros"]
