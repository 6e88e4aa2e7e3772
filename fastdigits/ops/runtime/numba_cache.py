"""Give functions that Numba compiles the kernel cache of this package instead of Numba's own.

Numba's cache needs a folder that can be written, fails if a file in it is damaged, and may run the wrong kernel if two
processes save at the same time. Only functions of this package use this cache.
"""

from collections.abc import Callable
from typing import Any

from numba.core import caching
from numba.core.caching import CompileResultCacheImpl, FunctionCache

from fastdigits.ops.runtime import kernel_cache

PACKAGE = "fastdigits.ops."


def cached(dispatcher: Any) -> Any:
    """Keep the machine code of a function that Numba compiles in the kernel cache; return the function."""
    dispatcher._cache = KernelCache(dispatcher.py_func)
    return dispatcher


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
        return self._file(key).load()

    def save(self, key: object, data: Any) -> None:
        """Save a compiled function, unless the folder cannot be written."""
        self._file(key).save(data)

    def _file(self, key: object) -> kernel_cache.KernelFile:
        return kernel_cache.KernelFile(self._name, key)
