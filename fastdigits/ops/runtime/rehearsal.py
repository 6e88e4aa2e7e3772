"""Rehearse work, to know the kernels that it will need before it has compiled them.

A rehearsal is the same work on operations that do not run. The calls that it makes are kept; they serve to count the
kernels, or to compile them in another order.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from fastdigits.ops import array, random
from fastdigits.ops.array import reference
from fastdigits.ops.interface import Ops
from fastdigits.ops.runtime import compilation


class CannotRehearse(Exception):
    """The work runs code from outside of the package, or on a device other than the CPU."""


class Rehearsal:
    """The operations that some work would run.

    Attributes
    ----------
    calls : list of partial
        In their order.
    """

    def __init__(self) -> None:
        self.calls: list[partial] = []

    def defer(self, ops: Ops, custom: bool = False) -> Any:
        """Return operations whose calls are kept instead of run.

        Parameters
        ----------
        ops : Ops
        custom : bool
            Whether the work also runs code from outside of the package, such as a custom layer.

        Raises
        ------
        CannotRehearse
            If it does, or if the device is not the CPU.
        """
        if custom or ops.device != "cpu":
            raise CannotRehearse
        return DeferredOps(ops, self.calls)


class DeferredOps:
    """Operations that append their calls to a list instead of running, except for array and random operations."""

    def __init__(self, ops: Ops, calls: list[partial]):
        self._ops, self._calls, self._run_at_once = ops, calls, {*array.OPS, *random.OPS}
        self.empty = ops.zeros  # no operation fills these arrays, but indices read from them must be valid

    def captured(self, function: Callable) -> Callable:
        """Return a function that is not recorded, after planning the kernel that runs replays."""
        self._ops.captured(function)
        return reference.captured(function)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._ops, name)
        if name in self._run_at_once or not callable(value):
            return value
        return lambda *arguments, **named: self._calls.append(partial(value, *arguments, **named))


def planned(rehearse: Callable[[Rehearsal], Any]) -> compilation.Planned:
    """Count the kernels of a block when the first of them must be compiled, so that progress has a total.

    In blocks within blocks, only the outermost one is rehearsed. If all kernels are cached, nothing is.

    Parameters
    ----------
    rehearse : function
        Does the work of the block with the operations that `Rehearsal.defer` returns, in buffers of its own. A few
        images are enough, if they need the same kernels.

    Returns
    -------
    context manager
    """
    return compilation.Planned(partial(_plan, rehearse))


def _plan(rehearse: Callable[[Rehearsal], Any]) -> None:
    rehearsal = Rehearsal()
    # Whatever goes wrong in it, the work itself must go on, without a total
    with suppress(Exception), compilation.planning(), np.errstate(all="ignore"):
        rehearse(rehearsal)
        for call in rehearsal.calls:
            call()
