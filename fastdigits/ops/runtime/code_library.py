"""Compile parallel loops without the two wrappers that Numba puts around each of them.

Numba optimizes both wrappers, which contain the whole loop, and translates them to machine code. But they are linked
into the function with the loop, which is then optimized and translated as well, and nothing else runs them.

The members that this relies on are private to Numba; tests/ops/test_compilation.py checks them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from numba.core.codegen import JITCodeLibrary


class LinkedLibrary(JITCodeLibrary):
    """The code of a function, or the code of a wrapper, which is only linked."""

    def finalize(self) -> None:
        """Make the code of a function ready to run, or that of a wrapper ready to link."""
        if self._object_caching_enabled:  # a function
            super().finalize()
            return
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            if hasattr(self, "_reload_init"):  # Numba 0.61 has none
                self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True


def without_wrappers(dispatcher: Any) -> Any:
    """Compile a function with parallel loops without machine code for their wrappers; return the function."""
    dispatcher._compiler.compile = partial(_compile, dispatcher._compiler.compile)
    return dispatcher


def _compile(compile_function: Callable[..., Any], arguments: tuple, return_type: Any) -> Any:
    """Compile a function for types of arguments. Numba's lock is held meanwhile."""
    from numba.core.registry import cpu_target

    with _linking_only(cpu_target.target_context.codegen()):
        return compile_function(arguments, return_type)


@contextmanager
def _linking_only(codegen: Any) -> Iterator[None]:
    """Create a LinkedLibrary for all that is compiled in this block, by hiding the attribute of Numba's class."""
    codegen._library_class = LinkedLibrary
    try:
        yield
    finally:
        del codegen._library_class
