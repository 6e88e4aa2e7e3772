"""Replay compiled kernels in a single call, as a CUDA graph does on a GPU.

A kernel call from Python costs some microseconds and two changes of the owner of Python's lock, which another thread
must then wait to take back. A replay costs that only once for any number of kernels. Its code calls one kernel after
the other, and its constants are their arguments: the addresses and shapes of arrays, and numbers.
"""

import ctypes
from collections import Counter
from collections.abc import Callable, Iterator
from functools import wraps
from itertools import count
from threading import local
from typing import Any

Call = tuple[Any, tuple]  # a kernel, which is a dispatcher of Numba, and its arguments

RECORDED_CALL = 100  # a program that predicts less often must not wait for the compilation, some 30 ms
_NUMBERS = count()
_THREAD = local()  # `calls` of the thread's recording; None in it stands for an operation that cannot be replayed


def run(kernel: Any, *arguments: Any) -> None:
    """Run a compiled kernel, and record the call if this thread is recording."""
    kernel(*arguments)
    if (calls := getattr(_THREAD, "calls", None)) is not None:
        calls.append((kernel, arguments))


def unrecorded(operation: Callable) -> Callable:
    """Return an operation in NumPy, which cannot be replayed: what calls it will not be replayed either."""

    @wraps(operation)
    def marked(*arguments: Any, **named: Any) -> Any:
        if (calls := getattr(_THREAD, "calls", None)) is not None:
            calls.append(None)
        return operation(*arguments, **named)

    return marked


class Captured:
    """A function that runs its kernels one by one at first, records them once, and then replays them.

    See `captured` in ops/array/reference.py for what the function may do. If it does anything but run compiled kernels,
    it is called every time. One thread at a time may call it.
    """

    def __init__(self, function: Callable):
        self.function = function
        self.calls: Counter[tuple] = Counter()
        self.replays: dict[tuple, tuple[Callable[[], None], Any]] = {}  # with the results, by arguments

    def __call__(self, *arguments: Any) -> Any:
        if arguments in self.replays:
            replay, result = self.replays[arguments]
            replay()
            return result
        self.calls[arguments] += 1
        if self.calls[arguments] != RECORDED_CALL:
            return self.function(*arguments)
        result, calls = record(self.function, *arguments)
        if calls is not None:
            self.replays[arguments] = compile_calls(calls), result
        return result


def record(function: Callable, *arguments: Any) -> tuple[Any, list[Call] | None]:
    """Call a function; return its result and the kernels that it ran, or None if it ran anything else."""
    calls: list[Any] = []
    _THREAD.calls = calls
    try:
        result = function(*arguments)
    finally:
        _THREAD.calls = None
    return result, None if None in calls else calls


def compile_calls(calls: list[Call]) -> Callable[[], None]:
    """Return a function that runs the kernels again with the same arguments, without Python's lock.

    Raises
    ------
    MemoryError
        When it is called, if a kernel cannot allocate memory: kernels raise nothing else.
    """
    from llvmlite import ir
    from numba import typeof
    from numba.core.compiler_lock import global_compiler_lock
    from numba.core.registry import cpu_target

    context, name = cpu_target.target_context, f"fastdigits_replay_{next(_NUMBERS)}"
    with global_compiler_lock:
        library = context.codegen().create_library(name)
        module = library.create_ir_module(name)
        function = ir.Function(module, ir.FunctionType(ir.IntType(32), []), name)
        builder = ir.IRBuilder(function.append_basic_block())
        for kernel, arguments in calls:
            types = tuple(map(typeof, arguments))
            compiled = kernel.overloads[types]
            address = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
            signature = context.call_conv.get_function_type(compiled.signature.return_type, types)
            result, error, *expected = signature.args
            constants = [_constant(builder, *pair) for pair in zip(expected, _flat(arguments), strict=True)]
            callee = _constant(builder, signature.as_pointer(), address)
            code = builder.call(callee, [builder.alloca(result.pointee), builder.alloca(error.pointee), *constants])
            with builder.if_then(builder.icmp_signed("!=", code, ir.Constant(code.type, 0)), likely=False):
                builder.ret(code)
        builder.ret(ir.Constant(ir.IntType(32), 0))
        library.add_ir_module(module)
        library.finalize()
        start = ctypes.CFUNCTYPE(ctypes.c_int)(library.get_pointer_to_function(name))

    def replay() -> None:
        if start():
            raise MemoryError("There is not enough memory for the prediction.")

    replay.kept = calls, library  # type: ignore[attr-defined]  # the arrays and the code
    return replay


def _flat(arguments: tuple) -> Iterator[Any]:
    """Yield the numbers that stand for the arguments in Numba's calling convention.

    For an array they are its two owners, which a kernel does not need, size, item size, address, shape and strides.
    """
    for value in arguments:
        if getattr(value, "ndim", 0):
            yield from (None, None, value.size, value.itemsize, value.ctypes.data, *value.shape, *value.strides)
        else:
            yield value


def _constant(builder: Any, kind: Any, value: Any) -> Any:
    """Return a number as a constant of LLVM, or an address as a pointer."""
    from llvmlite import ir

    if isinstance(kind, ir.PointerType) and value is not None:
        return builder.inttoptr(ir.Constant(ir.IntType(64), value), kind)
    return ir.Constant(kind, value)
