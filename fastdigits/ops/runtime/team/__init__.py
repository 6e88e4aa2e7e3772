"""Let the threads of one parallel loop share all loops of a replay.

Numba's threading layer needs some 5 us to hand half of a loop to another thread, as long as a small kernel takes. A
replay asks it only once. One thread then calls the kernels, and the others help: each loop is a job of several parts,
which the threads claim one by one. Nobody waits for a helper that has not come, only for parts that a helper has
claimed.

Kernels call the layer as `numba_parallel_for`, and `install` puts `compiled.parallel_for` in its place. Loops outside
of a replay go on to the layer, and so do those of a second replay at the same time.
"""

import ctypes
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from llvmlite import binding
from numba import njit, types
from numba.core.compiler_lock import global_compiler_lock

from fastdigits.ops.runtime import compilation
from fastdigits.ops.runtime.code_library import address_for_c
from fastdigits.ops.runtime.numba_cache import cached
from fastdigits.ops.runtime.team import compiled
from fastdigits.ops.runtime.team.atomics import WORD

LAYER_FUNCTION = "numba_parallel_for"
OF_AN_ADDRESS = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)  # type of a function for C

RunReplay = Callable[[ctypes.c_int64], int]


class _Team:
    """The team of this process.

    Attributes
    ----------
    replay : function, optional
        Runs the replay at an address on this thread; None before it is compiled.
    run : function, optional
        Runs the replay at an address with the team; None without one.
    """

    def __init__(self) -> None:
        self.replay: RunReplay | None = None
        self.run: RunReplay | None = None
        self._functions = {
            function: cached(njit(error_model="numpy")(function.py_func))
            for function in (compiled.replay, compiled.parallel_for, compiled.join, compiled.run)
        }
        # Compiled code has the address of a word in it
        self._memory = np.zeros((compiled.BYTES + compiled.LINE) // WORD, np.int64)

    def prepare(self) -> None:
        """Compile what runs replays on one thread."""
        self.replay = OF_AN_ADDRESS(self._address(compiled.replay))

    def install(self) -> None:
        """Put `parallel_for` in the place of the layer's function, for kernels that are linked from now on."""
        start = -(-self._memory.ctypes.data // compiled.LINE) * compiled.LINE
        layer, join = (ctypes.c_int64.from_address(start + place) for place in (compiled.LAYER, compiled.JOIN))
        layer.value = binding.address_of_symbol(LAYER_FUNCTION)
        binding.add_symbol(compiled.TEAM, start)
        binding.add_symbol(LAYER_FUNCTION, self._address(compiled.parallel_for))
        join.value = self._address(compiled.join)
        self.run = OF_AN_ADDRESS(self._address(compiled.run))

    def plan(self, *functions: Any) -> None:
        """Note functions that must be compiled."""
        for function in functions:
            dispatcher = self._functions[function]
            compilation.plan(dispatcher._cache.path(_types(function), dispatcher.targetctx))

    def _address(self, function: Any) -> int:
        """Compile a function and return its address for C."""
        dispatcher = self._functions[function]
        dispatcher.compile(_types(function))
        return address_for_c(dispatcher, _types(function))


def _types(function: Any) -> tuple[types.Type, ...]:
    return (types.int64,) * function.py_func.__code__.co_argcount


_TEAM = _Team()


def prepare() -> None:
    """Compile what runs replays, or only plan to while kernels are planned."""
    if _TEAM.replay:
        return
    if compilation.is_planning():
        _TEAM.plan(compiled.replay)
        return
    with global_compiler_lock:
        if not _TEAM.replay:  # another thread may have been faster
            _TEAM.prepare()


def install() -> bool:
    """Give replays a team, on systems with POSIX threads.

    Call this after the threading layer has been loaded, and before kernels are. The layer "workqueue" can have none,
    because the thread that calls a loop takes no part in it.

    Returns
    -------
    bool
        False while kernels are only planned: then call it again before they run.
    """
    if _TEAM.run or os.name != "posix":
        return True
    if compilation.is_planning():
        _TEAM.plan(compiled.parallel_for, compiled.join, compiled.run)
        return False
    with global_compiler_lock:
        if not _TEAM.run:  # another thread may have been faster
            _TEAM.install()
    return True


def runner(words: np.ndarray, parallel: bool) -> Callable[[], int]:
    """Return a function that runs a replay: with the team, if it has parallel loops and there is one.

    Parameters
    ----------
    words : int64
        The replay; see compiled.replay. It must outlive the function.
    parallel : bool
    """
    prepare()
    run = (_TEAM.run if parallel else None) or _TEAM.replay
    assert run
    return partial(run, ctypes.c_int64(words.ctypes.data))
