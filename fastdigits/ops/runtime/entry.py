"""The entry of a kernel: a function that reads the kernel's arguments from memory, so that compiled code can call it.

All entries have the same type, `int64 entry(const int64 *words)`, whatever the types of the arguments. There is a word
for each argument of Numba's calling convention, in which an array has several. An entry returns 0, or the kernel's code
of an error.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from llvmlite import ir

from fastdigits.ops.runtime.code_library import LOOP, address_for_c, compiled_within

WORD = ir.IntType(64)


def with_entry(dispatcher: Any) -> Any:
    """Compile a function with an entry, for each type of its arguments; return the function."""
    return compiled_within(dispatcher, _creating_entries)


def address(kernel: Any, arguments: tuple) -> int:
    """Return the address of the entry of a compiled kernel for arguments of these types."""
    from numba import typeof

    return address_for_c(kernel, tuple(map(typeof, arguments)))


def packed(arguments: tuple) -> np.ndarray:
    """Return the words that an entry reads, int64 (words,). The arrays among the arguments must outlive it."""
    return np.array([*_words(arguments)], np.int64)


def _words(arguments: tuple) -> Iterator[int]:
    """Yield the words of arguments.

    Those of an array are its two owners, which a kernel does not need, size, item size, address, shape and strides.
    """
    for value in arguments:
        if isinstance(value, tuple):
            yield from _words(value)
        elif isinstance(value, int | np.integer):
            yield int(value)
        elif getattr(value, "ndim", 0):
            yield from (0, 0, value.size, value.itemsize, value.ctypes.data, *value.shape, *value.strides)
        else:
            number = np.asarray(value)
            yield int(number.view(f"i{number.itemsize}"))


@contextmanager
def _creating_entries(context: Any) -> Iterator[None]:
    """Create entries in the place of Numba's functions for C, by hiding an attribute of its class."""
    context.create_cfunc_wrapper = partial(_create_entry, context)
    try:
        yield
    finally:
        del context.create_cfunc_wrapper


def _create_entry(context: Any, library: Any, function: Any, _environment: Any, _call_helper: Any) -> None:
    """Add the code of the entry of a function to its library, unless it is the body of a parallel loop."""
    if library.name.startswith(LOOP):
        return
    module = context.create_module("entry")
    kind = context.call_conv.get_function_type(function.restype, function.argtypes)
    kernel = ir.Function(module, kind, function.llvm_func_name)
    entry = ir.Function(module, ir.FunctionType(WORD, [WORD.as_pointer()]), function.llvm_cfunc_wrapper_name)
    code, (words,) = ir.IRBuilder(entry.append_basic_block()), entry.args
    result, error, *values = kind.args
    arguments = [code.alloca(result.pointee), code.alloca(error.pointee)]
    for place, value in enumerate(values):
        arguments.append(code.load(code.bitcast(code.gep(words, [WORD(place)]), value.as_pointer())))
    # Inlining it would compile the kernel twice
    code.ret(code.zext(code.call(kernel, arguments, attrs=("noinline",)), WORD))
    library.add_ir_module(module)
