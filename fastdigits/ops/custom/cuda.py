"""Operations from outside of the package on a GPU: each warp computes one index."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from fastdigits.ops.cuda import graph
from fastdigits.ops.cuda.launch import WARPS, Kernel, blocks, warp_number
from fastdigits.ops.custom import distributed
from fastdigits.ops.interface import Ops

BODY = """
    index = warp_number()
    if index < len({first}):
        kernel({call}, index)
"""


def compile_operation(kernel: Callable[..., None]) -> Callable[..., None]:
    """Return the operation of a kernel; it is compiled when it is first called."""
    names = {"kernel": kernel, "warp_number": warp_number}
    return Kernel(distributed(kernel, BODY, names, __name__, __file__), _each_index, WARPS)


def on_host(reference: Callable[..., None], ops: Ops) -> Callable[..., None]:
    """Return an operation that copies its arrays to the host, runs there in NumPy, and copies them back."""

    @wraps(reference)
    def run(*arguments: Any, **named: Any) -> None:
        graph.note_host_work()
        given = [*arguments, *named.values()]
        values = [ops.download(value) if _is_device_array(value) else value for value in given]
        reference(*values[: len(arguments)], **dict(zip(named, values[len(arguments) :], strict=True)))
        for array, value in zip(given, values, strict=True):
            if _is_device_array(array):
                array[...] = ops.upload(value)

    return run


def _each_index(first: Any, *others: Any) -> tuple[int]:
    return (blocks(len(first)),)


def _is_device_array(value: Any) -> bool:
    return hasattr(value, "shape") and value.shape != () and not isinstance(value, np.generic)
