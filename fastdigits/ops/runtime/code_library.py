"""Compile kernels without machine code that nothing runs, and optimize the body of a parallel loop only once.

Numba optimizes each function that a kernel calls and translates it to machine code of its own, and so it does with the
body of each parallel loop and the two wrappers that it puts around it. But all of them are linked into the kernel,
which is then optimized and translated as a whole, and nothing else runs them.

Numba also acquires the global interpreter lock (GIL) before and after each parallel loop, which takes 5 ms if another
thread is running Python code. Kernels use no Python objects, so theirs do without.

The members that this relies on are private to Numba; tests/ops/test_compilation.py checks them.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

from llvmlite import ir
from numba.core.codegen import JITCodeLibrary

LOOP = "__numba_parfor_gufunc"  # begins the name of the body of a parallel loop
LOOP_START = "parallelgufuncwrapper"  # the name of the code that starts the threads of a loop
LOCKING = {"numba_gil_ensure", "PyEval_SaveThread", "PyEval_RestoreThread", "numba_gil_release"}


class LinkedLibrary(JITCodeLibrary):
    """The code of a function, which becomes machine code if Python can call it.

    The body of a parallel loop and its wrappers are only linked.
    """

    _is_translated = False

    def add_ir_module(self, ir_module: Any) -> None:
        """Add code to this library, which starts the threads of a parallel loop without acquiring the GIL."""
        if self.name == LOOP_START:
            for block in (block for function in ir_module.functions for block in function.blocks):
                block.instructions[:] = [step for step in block.instructions if not _is_locking(step)]
        super().add_ir_module(ir_module)

    def finalize(self) -> None:
        """Make the code ready to link."""
        if self._is_function():
            super().finalize()
            return
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            if hasattr(self, "_reload_init"):  # Numba 0.61 has none
                self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True

    def _finalize_final_module(self) -> None:
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """Return the address of a function in machine code, or 0 if it is only linked."""
        self._ensure_finalized()
        defined = any(function.name == name for function in self.get_defined_functions())
        if defined and not self._is_translated and self._is_function():
            self._is_translated = True
            super()._finalize_final_module()
        return super().get_pointer_to_function(name)

    def _is_function(self) -> bool:
        """Return False for the body of a parallel loop and its wrappers."""
        return self._object_caching_enabled and not self.name.startswith(LOOP)


def _is_locking(instruction: Any) -> bool:
    return isinstance(instruction, ir.CallInstr) and instruction.callee.name in LOCKING


def address_for_c(dispatcher: Any, types: tuple) -> int:
    """Return the address of what C calls for a function that is compiled for these types of arguments."""
    code = dispatcher.overloads[types]
    return code.library.get_pointer_to_function(code.fndesc.llvm_cfunc_wrapper_name)


def without_unused_code(dispatcher: Any) -> Any:
    """Compile a function without machine code for what is linked into it; return the function."""
    return compiled_within(dispatcher, _linking_only)


def compiled_within(dispatcher: Any, surroundings: Callable[[Any], AbstractContextManager]) -> Any:
    """Compile a function within a context, which is given Numba's context for the CPU; return the function."""
    dispatcher._compiler.compile = partial(_compile, dispatcher._compiler.compile, surroundings)
    return dispatcher


def _compile(
    compile_function: Callable[..., Any],
    surroundings: Callable[[Any], AbstractContextManager],
    arguments: tuple,
    return_type: Any,
) -> Any:
    """Compile a function for types of arguments. Numba's lock is held meanwhile."""
    from numba.core.registry import cpu_target

    with surroundings(cpu_target.target_context):
        return compile_function(arguments, return_type)


@contextmanager
def _linking_only(context: Any) -> Iterator[None]:
    """Create a LinkedLibrary for all that is compiled in this block, by hiding attributes of Numba's class."""
    codegen = context.codegen()
    codegen._library_class = LinkedLibrary
    codegen.set_env = partial(_set_environment, codegen)
    try:
        yield
    finally:
        del codegen._library_class, codegen.set_env


def _set_environment(codegen: Any, name: str, environment: Any) -> None:
    """Set the Python objects of a function, if it is machine code: the code of kernels uses none."""
    if codegen._engine.is_symbol_defined(name):
        type(codegen).set_env(codegen, name, environment)
