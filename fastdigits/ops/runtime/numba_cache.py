"""Give functions that Numba compiles the kernel cache of this package instead of Numba's own.

Numba's cache needs a folder that can be written, fails if a file in it is damaged, and may run the wrong kernel if two
processes save at the same time. Only functions of this package use this cache.
"""

from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from numba.core import caching
from numba.core.caching import CompileResultCacheImpl, FunctionCache

from fastdigits.ops.runtime import compilation, kernel_cache
from fastdigits.ops.runtime.code_library import without_unused_code

PACKAGE = "fastdigits.ops."
CONSTANTS = bool | int | float | str | tuple


def cached(dispatcher: Any) -> Any:
    """Keep the machine code of a function that Numba compiles in the kernel cache; return the function."""
    dispatcher.py_func.__qualname__ += f"_{_constants_hash(dispatcher.py_func)}"
    dispatcher._cache = KernelCache(dispatcher.py_func)
    dispatcher._compile_for_args = partial(_compile_unless_planning, dispatcher._compile_for_args, dispatcher)
    return without_unused_code(dispatcher)


def _constants_hash(function: Callable) -> str:
    """Return a hash of the line of a function and of the constants that it takes from the function around it.

    In the name of the function, it tells variants apart. Numba only numbers them, and processes that compile one
    variant each give them the same number: machine code of one could then be called as that of the other.
    """
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    constants = [value if isinstance(value, CONSTANTS) else getattr(value, "__name__", "") for value in cells]
    return sha256(repr([function.__code__.co_firstlineno, constants]).encode()).hexdigest()[:8]


def _compile_unless_planning(compile_function: Callable, dispatcher: Any, *arguments: Any) -> Callable:
    """Return the machine code for the types of arguments, loaded or compiled; what does nothing if plans are made."""
    if compilation.is_planning():
        types = tuple(map(dispatcher.typeof_pyval, arguments))
        compilation.plan(dispatcher._cache.path(types, dispatcher.targetctx))
        return _do_nothing
    return compile_function(*arguments)


def _do_nothing(*_arguments: Any) -> None:
    pass


# Older versions of Numba have it with an underscore
_NAME = "UserProvidedCacheLocator"
_Base: Any = getattr(caching, _NAME, None) or getattr(caching, f"_{_NAME}")


class _Locator(_Base):
    """Tells Numba where a function comes from. Unlike Numba's, it does not demand a folder that can be written."""

    def get_cache_path(self) -> str:
        return str(kernel_cache.folder() or "")

    def ensure_cache_path(self) -> None:
        pass

    @classmethod
    def from_function(cls, py_func: Callable, py_file: str) -> "_Locator":
        return cls(py_func, py_file)


class _Results(CompileResultCacheImpl):
    _locator_classes = [_Locator]


class KernelCache(FunctionCache):
    """The cache of one function, in the place of `numba.core.caching.FunctionCache`.

    The members that this relies on are private to Numba; tests/ops/test_cache.py checks them.
    """

    _impl_class = _Results

    def __init__(self, function: Callable):
        super().__init__(function)
        # With the line, because the key of Numba has the bytecode of a function, but not its names and constants
        line = function.__code__.co_firstlineno
        self._name = f"{function.__module__.removeprefix(PACKAGE)}.{function.__name__}-{line}"
        self._cache_file: Any = self  # has `load` and `save`

    def load(self, key: object) -> Any:
        """Return the compiled function of a key, or None if this process must compile it."""
        file = self._file(key)
        kernel = file.load()
        if kernel is None:
            compilation.start(file.path)
        return kernel

    def save(self, key: object, data: Any) -> None:
        """Save a compiled function, unless the folder cannot be written."""
        file = self._file(key)
        file.save(data)
        compilation.finish(file.path)

    def path(self, types: tuple, context: Any) -> Path:
        """Return the file of the function compiled for types of arguments, which may not exist."""
        return self._file(self._index_key(types, context.codegen())).path

    def _file(self, key: object) -> kernel_cache.KernelFile:
        return kernel_cache.KernelFile(self._name, key)
