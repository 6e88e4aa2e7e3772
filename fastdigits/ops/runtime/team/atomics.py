"""Words of memory that several threads change, and functions given by their addresses, for compiled code.

All words, addresses and arguments are 64-bit whole numbers.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

I64 = ir.IntType(64)
WORD = 8  # bytes

this_thread: Any = types.ExternalFunction("pthread_self", types.int64())
offer_core: Any = types.ExternalFunction("sched_yield", types.int32())


def _word(builder, address):
    return builder.inttoptr(address, I64.as_pointer())


@intrinsic
def read(typing, address):
    """Return a word, before anything that this thread reads later."""

    def code(context, builder, signature, arguments):
        return builder.load_atomic(_word(builder, *arguments), "acquire", WORD)

    return types.int64(types.int64), code


@intrinsic
def write(typing, address, value):
    """Write a word, after all that this thread has written before."""

    def code(context, builder, signature, arguments):
        address, value = arguments
        builder.store_atomic(value, _word(builder, address), "release", WORD)
        return context.get_dummy_value()

    return types.none(types.int64, types.int64), code


@intrinsic
def add(typing, address, value):
    """Add to a word and return what it was."""

    def code(context, builder, signature, arguments):
        address, value = arguments
        return builder.atomic_rmw("add", _word(builder, address), value, "acq_rel")

    return types.int64(types.int64, types.int64), code


@intrinsic
def replace(typing, address, old, new):
    """Replace a word if it is `old`; return whether it was."""

    def code(context, builder, signature, arguments):
        address, old, new = arguments
        return builder.extract_value(builder.cmpxchg(_word(builder, address), old, new, "acq_rel", "acquire"), 1)

    return types.boolean(types.int64, types.int64, types.int64), code


@intrinsic
def call(typing, address, arguments):
    """Call the function at an address with a tuple of arguments, and return what it returns."""

    def code(context, builder, signature, values):
        address, arguments = values
        numbers = cgutils.unpack_tuple(builder, arguments)
        function = builder.inttoptr(address, ir.FunctionType(I64, [I64] * len(numbers)).as_pointer())
        return builder.call(function, numbers)

    return types.int64(types.int64, arguments), code


@intrinsic(prefer_literal=True)
def symbol(typing, name):
    """Return the address of what is linked under a name."""
    name = name.literal_value

    def code(context, builder, signature, arguments):
        module = builder.module
        variable = module.globals.get(name) or cgutils.add_global_variable(module, I64, name)
        return builder.ptrtoint(variable, I64)

    return types.int64(types.StringLiteral(name)), code


@intrinsic
def pause(typing):
    """Tell the core that its thread waits for a word."""

    def code(context, builder, signature, arguments):
        if builder.module.triple.startswith("x86_64"):
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.none(), code
