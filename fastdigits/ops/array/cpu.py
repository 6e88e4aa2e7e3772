"""Array operations of the CPU: its arrays are NumPy arrays, so these are the definitions themselves."""

from fastdigits.ops.array.reference import accumulate, captured, download, empty, pack, unpack, upload, write, zeros

__all__ = ["accumulate", "captured", "download", "empty", "pack", "unpack", "upload", "write", "zeros"]
