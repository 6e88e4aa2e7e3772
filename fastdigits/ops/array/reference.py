"""Definitions of the array operations, on NumPy arrays."""

from math import prod

import numpy as np

CACHE_LINE = 64


def empty(shape, dtype=np.float32):
    """Return a new, uninitialized C-contiguous array that starts at a cache line.

    A vector that crosses two cache lines costs two loads.

    Parameters
    ----------
    shape : tuple of int
    dtype : NumPy dtype
    """
    nbytes = prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(nbytes + CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    return memory[start : start + nbytes].view(dtype).reshape(shape)


def zeros(shape, dtype=np.float32):
    """Return a new array of zeros, aligned as by `empty`.

    Parameters
    ----------
    shape : tuple of int
    dtype : NumPy dtype
    """
    array = empty(shape, dtype)
    array[...] = 0
    return array


def upload(host):
    """Return a copy of a NumPy array on the device.

    A memory-mapped array is not copied if the device computes in the memory of the host.

    Parameters
    ----------
    host : NumPy array
    """
    if isinstance(host, np.memmap):
        return host.view(np.ndarray)
    array = empty(host.shape, host.dtype)
    array[...] = host
    return array


def download(array):
    """Return a copy of a device array as a NumPy array.

    Parameters
    ----------
    array : device array
    """
    return array.copy()


def pack(images, x):
    """Fill x with images side by side: x[b, ..., l] = images[b*L + l, ...]. Lanes without an image are zero.

    Parameters
    ----------
    images : float32 (N, ...)
    x : float32 (B, ..., L), filled, with B * L >= N
    """
    lanes = x.shape[-1]
    x[...] = 0
    for b in range(x.shape[0]):
        group = images[b * lanes : (b + 1) * lanes]
        x[b, ..., : len(group)] = np.moveaxis(group, 0, -1)


def unpack(x, images):
    """Undo `pack`: images[b*L + l, ...] = x[b, ..., l].

    Parameters
    ----------
    x : float32 (B, ..., L)
    images : float32 (N, ...), filled, with N <= B * L
    """
    by_image = x.transpose(0, -1, *range(1, x.ndim - 1))  # as np.moveaxis does, which takes ten times as long
    images[...] = by_image.reshape(-1, *images.shape[1:])[: len(images)]


def accumulate(values, total):
    """Add the sum of all values to total[0], in a fixed order.

    Parameters
    ----------
    values : float32, any shape
    total : float64 (1,), changed
    """
    total[0] += values.sum(dtype=np.float64)


def captured(function):
    """Return a function that does the same as `function` and may replay the operations that an earlier call recorded.

    It also takes `times`, to do that several times.

    Parameters
    ----------
    function : function
        Takes hashable arguments, such as numbers. It calls operations on arrays that already exist and stay at the
        same address. Calls with equal arguments start the same operations and return the same object, such as the
        array that is filled. The function does not download anything.
    """

    def run(*arguments, times=1):
        for _ in range(times - 1):
            function(*arguments)
        return function(*arguments)

    return run
