"""Arrays are NumPy's."""

from math import prod

import numpy as np

CACHE_LINE = 64


def empty(shape, dtype=np.float32):
    """A new C-contiguous array of undefined content that begins at a cache line.

    A vector that lies across two cache lines costs two loads.

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
    """A new array of zeros, otherwise as `empty` makes it.

    Parameters
    ----------
    shape : tuple of int
    dtype : NumPy dtype
    """
    array = empty(shape, dtype)
    array[...] = 0
    return array


def upload(host):
    """A copy on the device of a NumPy array.

    Parameters
    ----------
    host : NumPy array
    """
    array = empty(host.shape, host.dtype)
    array[...] = host
    return array


def download(array):
    """A NumPy array with the device array's content, which the caller may keep.

    Parameters
    ----------
    array : device array
    """
    return array.copy()


def write(numbers):
    """Give arrays of one element their numbers, in turn with the operations before and after.

    Parameters
    ----------
    numbers : sequence of (device array, int or float)
        Whole numbers below 2^31. The host may go on at once.
    """
    for array, number in numbers:
        array[0] = number


def pack(images, x):
    """Fill x with images side by side: x[b, ..., l] = images[b*L + l, ...], zero where there is none.

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
    """Fill images with what pack packed: images[b*L + l, ...] = x[b, ..., l].

    Parameters
    ----------
    x : float32 (B, ..., L)
    images : float32 (N, ...), filled, with N <= B * L
    """
    images[...] = np.moveaxis(x, -1, 1).reshape(-1, *images.shape[1:])[: len(images)]


def accumulate(values, total):
    """Add the sum of all values to total[0], in a fixed order.

    Parameters
    ----------
    values : float32, any shape
    total : float64 (1,), changed
    """
    total[0] += values.sum(dtype=np.float64)


def captured(function):
    """The same function, or one that does the same in less time: by replaying what was recorded at an earlier call.

    Parameters
    ----------
    function : function
        Takes hashable arguments, such as numbers, and computes with the operations, on arrays that stay where they
        are and are not made within. It reads nothing else that changes between two calls with equal arguments, and
        nothing of the device; what it returns is the same each time, such as the array that it fills.
    """
    return function
