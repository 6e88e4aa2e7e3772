"""New arrays that are full of what a test wants to find if they are read before they are filled."""

import numpy as np


class FilledNumPy:
    """NumPy, but `empty` fills the array with a function."""

    def __init__(self, fill):
        self.fill = fill

    def __getattr__(self, name):
        return getattr(np, name)

    def empty(self, *arguments):
        array = np.empty(*arguments)
        self.fill(array)
        return array


def bytes_of(byte):
    """Return a function that fills arrays with one byte, of which 255 makes NaN."""
    return lambda array: array.view(np.uint8).fill(byte)


def huge_numbers(array):
    """Fill an array with numbers with which to compute is an overflow."""
    array.fill((np.finfo if array.dtype.kind == "f" else np.iinfo)(array.dtype).max)
