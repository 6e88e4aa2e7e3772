"""Replay compiled kernels in a single call, as a CUDA graph does on a GPU.

A kernel call from Python costs some microseconds. It also releases and acquires the global interpreter lock (GIL),
which takes long while other threads want it. A replay costs that only once for any number of kernels. Its code calls
one kernel after the other, and its constants are their arguments: the addresses and shapes of arrays, and numbers.
"""

import inspect
from collections import Counter
from collections.abc import Callable, Iterator
from functools import wraps
from itertools import count
from threading import get_ident
from typing import Any

from fastdigits.ops.runtime.thread_choice import on_all_or_one

Call = tuple[Any, tuple]  # a kernel, which is a dispatcher of Numba, and its arguments

RECORDED_CALL = 30  # a program that calls it less often must not wait for the compilation, some 10 ms
_NUMBERS = count()
_RECORDINGS: dict[int, list] = {}  # the calls by Python thread; None stands for an operation that cannot be replayed


def is_recording() -> bool:
    """Return whether the calls of this thread are recorded for a replay."""
    return bool(_RECORDINGS) and get_ident() in _RECORDINGS


def recordable(kernel: Any) -> Callable[..., None]:
    """Return a function that calls a compiled kernel, and records the call if this thread is recording."""
    signature = inspect.signature(kernel.py_func)

    @wraps(kernel.py_func)
    def run(*arguments: Any, **named: Any) -> None:
        kernel(*arguments, **named)
        if is_recording():
            _RECORDINGS[get_ident()].append((kernel, signature.bind(*arguments, **named).args))

    return run


def unrecorded(operation: Callable) -> Callable:
    """Return an operation in NumPy, which cannot be replayed: what calls it will not be replayed either."""

    @wraps(operation)
    def marked(*arguments: Any, **named: Any) -> Any:
        if is_recording():
            _RECORDINGS[get_ident()].append(None)
        return operation(*arguments, **named)

    return marked


class Captured:
    """A function that runs its kernels one by one at first, records them once, and then replays them.

    See `captured` in ops/array/reference.py for what the function may do. If it calls any operation that is not a
    compiled kernel, it is called every time. One thread at a time may call it.

    Parameters
    ----------
    function : function
    threads : int
        Number of threads that kernels may use; a replay uses one if that is faster.
    """

    def __init__(self, function: Callable, threads: int = 1):
        self.function, self.threads = function, threads
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
            self.replays[arguments] = on_all_or_one(compile_calls(calls), self.threads), result
        return result


def record(function: Callable, *arguments: Any) -> tuple[Any, list[Call] | None]:
    """Call a function; return its result and the kernels that it ran, or None if it ran anything else."""
    calls = _RECORDINGS[get_ident()] = []
    try:
        result = function(*arguments)
    finally:
        del _RECORDINGS[get_ident()]
    return result, None if None in calls else calls


def compile_calls(calls: list[Call]) -> Callable[[], None]:
    """Return a function that runs the kernels again with the same arguments, without the GIL.

    Raises
    ------
    MemoryError
        When it is called, if a kernel cannot allocate memory: kernels raise nothing else.
    """
    from llvmlite import binding
    from numba.core.compiler_lock import global_compiler_lock

    from fastdigits.ops.runtime import team

    name = f"fastdigits_replay_{next(_NUMBERS)}"
    with global_compiler_lock:
        code = [line for number, call in enumerate(calls) for line in _code(number, *call)]
        source = "\n".join([f"define i32 @{name}() {{", *code, "ret i32 0", "error:", "ret i32 1", "}"])
        machine = binding.Target.from_default_triple().create_target_machine(opt=0, jit=True)
        engine = binding.create_mcjit_compiler(binding.parse_assembly(source), machine)
        engine.finalize_object()
        parallel = any(kernel.targetoptions.get("parallel") for kernel, _ in calls)
        run = team.prepared(engine.get_function_address(name), parallel)

    def replay() -> None:
        if run():
            raise MemoryError("There is not enough memory for the operation.")

    replay.kept = calls, engine  # type: ignore[attr-defined]  # the arrays and the code
    return replay


def _code(number: int, kernel: Any, arguments: tuple) -> Iterator[str]:
    """Yield the lines of LLVM's language that call a kernel and go to `error` if it returns an error."""
    from numba import typeof
    from numba.core.registry import cpu_target

    types = tuple(map(typeof, arguments))
    compiled = kernel.overloads[types]
    address = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
    signature = cpu_target.target_context.call_conv.get_function_type(compiled.signature.return_type, types)
    result, error, *expected = signature.args
    values = ", ".join(
        f"{kind} {_constant(kind, value)}" for kind, value in zip(expected, _flat(arguments), strict=True)
    )
    callee = f"inttoptr (i64 {address} to {signature.as_pointer()})"
    yield f"%result{number} = alloca {result.pointee}"
    yield f"%error{number} = alloca {error.pointee}"
    yield f"%code{number} = call i32 {callee}({result} %result{number}, {error} %error{number}, {values})"
    yield f"%failed{number} = icmp ne i32 %code{number}, 0"
    yield f"br i1 %failed{number}, label %error, label %after{number}"
    yield f"after{number}:"


def _flat(arguments: tuple) -> Iterator[Any]:
    """Yield the numbers that stand for the arguments in Numba's calling convention.

    For an array they are its two owners, which a kernel does not need, size, item size, address, shape and strides.
    """
    for value in arguments:
        if isinstance(value, tuple):
            yield from _flat(value)
        elif getattr(value, "ndim", 0):
            yield from (None, None, value.size, value.itemsize, value.ctypes.data, *value.shape, *value.strides)
        else:
            yield value


def _constant(kind: Any, value: Any) -> str:
    """Return a number as a constant of LLVM's language, or an address as a pointer."""
    from llvmlite import ir

    if value is None:
        return "null"
    if isinstance(kind, ir.PointerType):
        return f"inttoptr (i64 {value} to {kind})"
    if isinstance(kind, ir.IntType):
        return str(int(value))
    return str(ir.Constant(kind, value).get_reference())
