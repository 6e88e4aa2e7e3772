"""Operations from outside of the package: a definition in NumPy and, for speed, a kernel that every device compiles."""

import hashlib
import inspect
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING, Any

from fastdigits.errors import UserError
from fastdigits.ops.runtime import pool, replay

if TYPE_CHECKING:
    from fastdigits.ops.interface import Ops


class Operation:
    """An operation of your own. `on(ops)` returns it for a device.

    Parameters
    ----------
    reference : function
        The definition, in NumPy. It fills or changes some of the arrays that it is given, and returns nothing.
    kernel : function, optional
        The same computation for one index of the first axis of the first array. Its parameters are those of the
        reference and then this index. It is written with the lane functions of `fastdigits.ops.lanes`, and compiled
        for CPUs and GPUs when it is first used there. Without a kernel, every device runs the reference, which is
        slower; a warning says so.

    Raises
    ------
    UserError
        If the parameters of the two functions do not match.

    Examples
    --------
    >>> import numpy as np
    >>> from fastdigits import ops
    >>> from fastdigits.extend import Operation
    >>> from fastdigits.ops.lanes import load, store
    >>> def square(x, y):
    ...     y[...] = x * x
    >>> def square_vector(x, y, v):
    ...     store(y, (v,), load(x, (v,)) * load(x, (v,)))
    >>> x, y = np.float32([[1, 2], [3, 4]]), np.empty((2, 2), np.float32)
    >>> Operation(square, square_vector).on(ops.load("reference"))(x, y)
    >>> y.tolist()
    [[1.0, 4.0], [9.0, 16.0]]
    """

    def __init__(self, reference: Callable[..., None], kernel: Callable[..., None] | None = None):
        self.reference, self.kernel = reference, kernel
        self._devices: dict[tuple, Callable[..., None]] = {}
        if kernel and parameters_of(kernel)[:-1] != parameters_of(reference):
            expected = ", ".join(parameters_of(reference))
            raise UserError(f"The kernel {kernel.__name__} must take the parameters {expected} and then an index.")

    def __getstate__(self) -> dict[str, Any]:
        """Return what `pickle` needs: everything but compiled kernels."""
        return {"reference": self.reference, "kernel": self.kernel}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Operation.__init__(self, state["reference"], state["kernel"])

    def on(self, ops: "Ops") -> Callable[..., None]:
        """Return the operation for the device of `ops`, which takes the parameters of the reference."""
        key = ops.device, ops.lanes, ops.threads
        if key not in self._devices:
            self._devices[key] = self._for_device(ops)
        return self._devices[key]

    def _for_device(self, ops: "Ops") -> Callable[..., None]:
        if ops.device == "reference":
            return self.reference
        if self.kernel is None:
            warnings.warn(
                f"{self.reference.__name__} has no kernel, so it runs in NumPy, which is slower than compiled kernels.",
                stacklevel=2,
            )
        if ops.device == "cpu" and (self.kernel is None or ops.lanes == 1):  # one lane: see `inference_ops`
            return replay.unrecorded(self.reference)
        module = import_module(f"fastdigits.ops.custom.{ops.device}")
        if self.kernel is None:
            return module.on_host(self.reference, ops)
        compiled = module.compile_operation(self.kernel)
        return pool.guarded(compiled, ops.threads) if ops.device == "cpu" else pool.in_one_process(compiled)


def parameters_of(function: Callable) -> tuple[str, ...]:
    """Return the names of the parameters of a function."""
    return tuple(inspect.signature(function).parameters)


def distributed(kernel: Callable, body: str, names: dict[str, Any], module: str, file: str) -> FunctionType:
    """Return a function with the parameters of a kernel's operation, to be compiled, that calls the kernel.

    Its name has a hash of all that is compiled, because the kernel cache knows only the sources of this package.

    Parameters
    ----------
    kernel : function
    body : str
        Python code in which {first} stands for the first parameter and {call} for the arguments before the index.
    names : dict
        Global names of the code, such as "kernel".
    module, file : str
        Where the function seems to be defined.
    """
    *parameters, _ = parameters_of(kernel)
    code = body.format(first=parameters[0], call=", ".join(parameters))
    digest = hashlib.sha256(repr([code, *_identity(kernel, set())]).encode()).hexdigest()[:16]
    name = f"{kernel.__name__}_{digest}"
    namespace = {"__name__": module, **names}
    exec(compile(f"def {name}({', '.join(parameters)}):\n{code}", file, "exec"), namespace)
    return namespace[name]


def _identity(function: Any, seen: set[str]) -> Iterator[Any]:
    """Yield the code and the constants of a function, and of those that it calls."""
    code = function.__code__
    if code in seen:
        return
    seen.add(code)
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    yield (
        code.co_code,
        code.co_names,
        code.co_varnames,
        [value for value in code.co_consts if not inspect.iscode(value)],
    )
    for value in [*(function.__globals__.get(name) for name in code.co_names), *cells]:
        if isinstance(value, FunctionType):
            yield from _identity(value, seen)
        elif isinstance(value, int | float | str | tuple):
            yield value
