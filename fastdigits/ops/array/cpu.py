"""Array operations of the CPU. Its arrays are NumPy arrays, so the references are used as they are."""

from fastdigits.ops.array.reference import accumulate, download, empty, pack, unpack, upload, zeros
from fastdigits.ops.runtime.replay import Captured


def captured(function):
    """See reference.captured. Replays the kernels in a single call of compiled code."""
    return Captured(function)


__all__ = ["accumulate", "captured", "download", "empty", "pack", "unpack", "upload", "zeros"]
