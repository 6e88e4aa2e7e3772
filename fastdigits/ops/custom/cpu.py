"""Operations from outside of the package on the CPU: each core computes a contiguous range of indices."""

from collections.abc import Callable

import numpy as np
from numba import prange

from fastdigits.ops.custom import distributed
from fastdigits.ops.lanes import bind, cpu

BODY = """
    for index in prange(len({first})):
        kernel({call}, int64(index))
"""


def compile_operation(kernel: Callable[..., None]) -> Callable[..., None]:
    """Return the operation of a kernel; it is compiled when it is first called."""
    names = {"kernel": bind(kernel, cpu), "prange": prange, "int64": np.int64}
    return cpu.parallel(distributed(kernel, BODY, names, __name__, __file__))
